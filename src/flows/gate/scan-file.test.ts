import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AskAppCode } from '../../core/app-code.ts'
import type { FileUnderGate } from '../../core/ports/file-under-gate.ts'
import type { Scanner, ScanResult } from '../../core/ports/scanner.ts'
import { scanFile } from './scan-file.ts'

const file: FileUnderGate = {
  ...{ assetId: 'a', profile: 'avatar', filename: 'a.png', contentType: 'image/png', kind: 'image', byteSize: 1, sha256: 'ab'.repeat(32) },
  ...{ width: 1, height: 1, path: '/nowhere', stream: () => new Blob(['a']).stream(), signal: AbortSignal.abort() },
}
const ask: AskAppCode = async (_, question) => ({ ok: true, value: await question(file) })
const scanner = (name: string, answer: ScanResult): Scanner => ({ name, scan: async () => answer })
const codesAfter = async (threat: string, isPardoned: boolean): Promise<string | null> =>
  (await scanFile([scanner('one', { clean: false, threat }), scanner('two', { clean: true })], { ask, isPardoned: () => isPardoned }))
    ?.code ?? null

describe('a pardon', () => {
  it('sets a threat aside that has a name, and the next scanner is asked', async () => {
    assert.equal(await codesAfter('Eicar-Test', false), 'malware_found')
    assert.equal(await codesAfter('Eicar-Test', true), null)
  })

  it('is none of a threat without a name, since it cannot say which of those it meant', async () => {
    assert.equal(await codesAfter(' \u0000', true), 'malware_found')
  })
})
