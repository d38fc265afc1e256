import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isRindleError } from '../../../core/errors.ts'
import { readSvg } from './svg.ts'

const svg = (inside: string, before = '', attributes = ''): string =>
  `${before}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="10" height="10"${attributes}>${inside}</svg>`

const harmless: Readonly<Record<string, string | Buffer>> = {
  'a shape': svg('<rect width="5" height="5"/>'),
  'what a drawing program puts around it': svg(
    '<path d="M0 0"/>',
    '\uFEFF<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n',
  ),
  'parts of itself': svg(
    '<defs><g id="a"/></defs><use xlink:href="#a"/><use href = "&#35;a"/><rect fill="url(#a)" style="filter:url( \'#a\' )"/>',
  ),
  'an embedded picture': svg('<image xlink:href="data:image/png;base64,iVBORw0KGgo="/><image href="data:image/jpeg;base64,/9j/"/>'),
  'an empty reference': svg('<use href=""/><rect fill="url()"/>'),
  'a word that ends alike': svg('<text>the preference = "x", curl(x)</text>'.replace('curl(x)', 'a curl')),
}

const external: Readonly<Record<string, string | Buffer>> = {
  'a sibling': svg('<image href="secret.png"/>'),
  'a sibling, with a prefix': svg('<image xlink:href="secret.png"/>'),
  'a sibling, with another prefix': svg('<image x:href="secret.png" xmlns:x="http://www.w3.org/1999/xlink"/>'),
  'a file': svg('<image href="file:///etc/passwd"/>'),
  'another host': svg("<image href='https://example.org/a.png'/>"),
  'another host, without its scheme': svg('<use href=" \n //example.org/a.svg#b"/>'),
  'a picture that is an SVG itself': svg('<image href="data:image/svg+xml;base64,PHN2Zy8+"/>'),
  'text that is no picture': svg('<image href="data:text/html,x"/>'),
  'a reference in character references': svg('<image href="&#102;ile:///etc/passwd"/>'),
  'a pattern': svg('<rect fill="url(other.svg#p)"/>'),
  'a pattern in a style': svg('<rect style="fill:url(&quot;other.svg#p&quot;)"/>'),
  'a pattern, its name escaped': svg('<style>rect{fill:u\\72 l(other.svg#p)}</style>'),
  'a style': svg('<style>@import "other.css";</style>'),
  'a style, its rule escaped': svg('<style>@\\69mport "other.css";</style>'),
  'a style, its rule in CDATA': svg('<style><![CDATA[@import "other.css";]]></style>'),
  'a font': svg('<style>@font-face{font-family:a;src:url(a.woff)}</style>'),
  'a style beside it': svg('', '<?xml version="1.0"?><?xml-stylesheet href="a.css"?>'),
  'an entity': svg('<text>&a;</text>', '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
  'an attribute by default': svg('<image/>', '<!DOCTYPE svg SYSTEM "a>b" [<!ATTLIST image href CDATA "secret.png">]>'),
  'declarations of any kind': svg('', '<!DOCTYPE svg []>'),
  'included text': svg('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="secret.txt" parse="text"/>'),
  'another base': svg('<use href="#a"/>', '', ' xml:base="file:///etc/"'),
  'a link': svg('<a href="https://example.org/">x</a>'),
  'a reference between what looks like a comment of a style': svg('<path d="/*"/><image href="secret.png"/><path d="*/"/>'),
  'a reference with what looks like an escape': svg('<image href="\\23 secret.png"/>'),
}

const unreadable: Readonly<Record<string, string | Buffer>> = {
  'UTF-16': Buffer.from(`\uFEFF${svg('<image href="secret.png"/>')}`, 'utf16le'),
  'UTF-7': svg('<image hre+AGY-="secret.png"/>', '<?xml version="1.0" encoding="UTF-7"?>'),
  'UTF-7, said late': svg('', `<?xml version="1.0"${' '.repeat(5_000)}encoding='utf-7'?>`),
  EBCDIC: svg('', '<?xml version="1.0" encoding="IBM037"?>'),
}

describe('the text of an SVG', () => {
  let folder: string
  before(() => (folder = mkdtempSync(join(tmpdir(), 'rindle-svg-'))))
  after(() => rmSync(folder, { recursive: true }))

  const codeOf = async (content: string | Buffer): Promise<string> => {
    const path = join(folder, 'a.svg')
    writeFileSync(path, content)
    return readSvg(path).then(
      () => 'pass',
      (err: unknown) => (isRindleError(err) ? err.code : String(err)),
    )
  }

  for (const [what, content] of Object.entries(harmless)) it(`may hold ${what}`, async () => assert.equal(await codeOf(content), 'pass'))
  for (const [what, content] of Object.entries(external))
    it(`may not refer to ${what}`, async () => assert.equal(await codeOf(content), 'external_reference'))
  for (const [what, content] of Object.entries(unreadable))
    it(`may not be in another encoding than it is looked through in: ${what}`, async () =>
      assert.equal(await codeOf(content), 'decode_failed'))

  it('is looked through in time that does not explode', async () => {
    const started = performance.now()
    for (const piece of ['<!DOCTYPE ', 'href=', '/*', '&#x', '\\', 'url( ', '<?xml ', ' encoding = '])
      await codeOf(svg(piece.repeat(200_000)))
    assert.ok(performance.now() - started < 5_000, `${performance.now() - started} ms`)
  })
})
