import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isRindleError } from '../core/errors.ts'
import { openSource } from './open-source.ts'

describe('the source of an upload', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rindle-source-'))
    await writeFile(join(folder, 'secret'), 'seven b')
    await symlink('secret', join(folder, 'link'))
    execFileSync('mkfifo', [join(folder, 'pipe')])
  })
  after(() => rm(folder, { recursive: true }))

  const refused = (path: string) =>
    assert.rejects(openSource(path, { plain: true }), (err) => isRindleError(err) && err.code === 'upload_source_unreadable')

  it('is followed where the app names a link, and not where a decoder left one', async () => {
    const { body, byteSize } = await openSource(join(folder, 'link'))
    assert.deepEqual([await new Response(body).text(), byteSize], ['seven b', 7])
    await refused(join(folder, 'link'))
  })

  it('is no pipe that a decoder left, and nobody waits at one', async () => {
    await refused(join(folder, 'pipe'))
    const { body } = await openSource(join(folder, 'secret'), { plain: true })
    assert.equal(await new Response(body).text(), 'seven b')
  })
})
