import assert from 'node:assert/strict'
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { corpusFiles } from './corpus.ts'

describe('a corpus', () => {
  it('is every file of its folders, without licences and what else only tells of them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rindle-corpus-'))
    mkdirSync(join(folder, 'deep/er'), { recursive: true })
    for (const name of ['b.png', 'deep/er/a.jpg', 'README.md', 'deep/LICENSE', 'deep/LICENSE-MIT', '.gitattributes'])
      writeFileSync(join(folder, name), name)
    assert.deepEqual(
      corpusFiles([folder]).map(({ label, filename }) => [label, filename]),
      [
        ['b.png', 'b.png'],
        ['deep/er/a.jpg', 'a.jpg'],
      ],
    )
    rmSync(folder, { recursive: true })
  })

  it('of the project is all there', () => {
    const own = corpusFiles([fileURLToPath(new URL('../../test/corpus', import.meta.url))])
    const counts = Map.groupBy(own, ({ label }) => label.split('/')[0])
    assert.deepEqual(
      [...counts].map(([name, files]) => [name, files.length]),
      [
        ['malformed', 1428],
        ['odd', 15],
        ['orientation', 18],
        ['smallest', 34],
      ],
    )
  })
})
