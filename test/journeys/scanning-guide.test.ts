import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { crc32, deflateRawSync } from 'node:zlib'
import { clamav } from '../../src/adapters/scanners/clamav.ts'
import { show } from '../../src/testing/gate-contract/trial.ts'
import { openGuide } from './fixtures/guide.ts'
import { type Clamd, markedThreat, marker, skipWithoutClamd, startClamd } from '../services/clamd.ts'

const guide = openGuide('scanning')
const { block, write, run } = guide
const files = mkdtempSync(join(tmpdir(), 'rindle-guide-'))
after(() => {
  guide.close()
  rmSync(files, { recursive: true, force: true })
})

describe('what the scanning guide says to paste', () => {
  it('is a profile', async () => {
    write('profile.ts', block('ts profile'))
    write('name.ts', `import { report } from './profile.ts'\nconsole.log(report.scanners[0].name)`)
    assert.deepEqual(await run('name.ts'), { code: 0, output: 'clamav\n' })
  })

  it('releases what is held back, with who and why', async () => {
    const said: unknown[] = []
    const rindle = { releaseQuarantine: async (...given: unknown[]) => said.push(...given) }
    await new Function('rindle', 'assetId', `return (async () => { ${block('ts release')} })()`)(rindle, 'a')
    assert.deepEqual(said, ['a', { reason: 'the macro is our own', actor: 'ada@cohort.example' }])
  })

  it('is a scanner that keeps the contract, and a way to see that another one does not', async () => {
    write('macros.ts', block('ts scanner'))
    write('contract.test.ts', block('ts contract'))
    const sound = await run('contract.test.ts')
    assert.equal(sound.code, 0, sound.output)
    assert.match(sound.output, /finds nothing in a clean file/)

    write('macros.ts', block('ts scanner').replace('await readFile(path, { signal })', "await readFile(path).catch(() => Buffer.from(''))"))
    const broken = await run('contract.test.ts')
    assert.notEqual(broken.code, 0)
    assert.match(broken.output, /✖ passes nothing that it cannot read|not ok \d+ - passes nothing that it cannot read/)
  })
})

/** A ZIP of one entry, which may claim to be encrypted. */
const zipOf = (content: Buffer, isEncrypted = false): Buffer => {
  const [packed, name] = [deflateRawSync(content), Buffer.from('a.bin')]
  const common = Buffer.alloc(26)
  common.writeUInt16LE(20, 0)
  common.writeUInt16LE(isEncrypted ? 1 : 0, 2)
  common.writeUInt16LE(8, 4)
  common.writeUInt32LE(crc32(content), 10)
  common.writeUInt32LE(packed.byteLength, 14)
  common.writeUInt32LE(content.byteLength, 18)
  common.writeUInt16LE(name.byteLength, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, packed])
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, Buffer.alloc(14), name])
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.byteLength, 12)
  end.writeUInt32LE(local.byteLength, 16)
  return Buffer.concat([local, central, end])
}

describe('what the scanning guide says of clamd', { skip: skipWithoutClamd }, () => {
  const running: Clamd[] = []
  after(async () => {
    for (const clamd of running) await clamd.stop()
  })
  const scan = async ({ port }: Clamd, bytes: Buffer) => clamav({ port }).scan((await show(files, { bytes })).file)
  const started = async (settings: Readonly<Record<string, string>>): Promise<Clamd> => {
    const clamd = await startClamd({ settings })
    running.push(clamd)
    return clamd
  }
  const ending = (bytes: number): Buffer => Buffer.concat([Buffer.alloc(bytes, 'noise '), Buffer.from(marker)])

  it('is what it takes: its lines of clamd.conf look through a file of 90 MB, and through archives', { timeout: 120_000 }, async () => {
    const lines = block('text clamd.conf').trim().split('\n')
    const clamd = await started(Object.fromEntries(lines.map((line) => line.split(' '))))
    assert.equal(lines.length, 4)
    assert.deepEqual(await scan(clamd, ending(90_000_000)), { clean: false, threat: markedThreat })
    assert.deepEqual(await scan(clamd, zipOf(ending(90_000_000))), { clean: false, threat: markedThreat })
    await assert.rejects(scan(clamd, ending(110_000_000)), { code: 'scan_limit_exceeded' })
  })

  it('is so: an entry of a ZIP is looked at up to MaxFileSize and not beyond', async () => {
    const clamd = await started({ MaxFileSize: '2M' })
    assert.deepEqual(await scan(clamd, zipOf(ending(1_900_000))), { clean: false, threat: markedThreat })
    assert.deepEqual(await scan(clamd, zipOf(ending(2_300_000))), { clean: true })
    assert.deepEqual(await scan(await started({ MaxFileSize: '3M' }), zipOf(ending(2_300_000))), { clean: false, threat: markedThreat })
  })

  it('is so: encrypted archives pass, unless it is told to raise alarm', async () => {
    const locked = zipOf(Buffer.from('nobody can read this'), true)
    assert.deepEqual(await scan(await started({}), locked), { clean: true })
    assert.deepEqual(await scan(await started({ AlertEncrypted: 'yes' }), locked), { clean: false, threat: 'Heuristics.Encrypted.Zip' })
  })
})
