import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { xmpSaysPlace } from './place-words.ts'

const contact = [
  'CiAdrCity="Paris"',
  'CiAdrCtry="France"',
  'CiAdrExtadr="1 rue de Rivoli"',
  'CiAdrPcode="75001"',
  'CiEmailWork="ada@example.org"',
]

describe('a packet of XMP', () => {
  it('says no place by where its author can be reached', () => {
    const inContact = contact.map((one) => `Iptc4xmpCore:${one}`).join(' ')
    assert.equal(xmpSaysPlace(`<Iptc4xmpCore:CreatorContactInfo ${inContact}/><dc:creator>Ada</dc:creator>`), false)
  })

  for (const property of ['photoshop:City="Paris"', 'Iptc4xmpCore:Location="Louvre"', 'exif:GPSLatitude="48,51.6N"'])
    it(`says one by ${property}`, () => assert.equal(xmpSaysPlace(`<rdf:Description ${property}/>`), true))
})
