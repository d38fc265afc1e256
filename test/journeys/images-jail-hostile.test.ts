import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProgram } from '../../src/adapters/processing/jail/programs.ts'
import { isRindleError } from '../../src/core/errors.ts'
import type { Verdict } from '../../src/core/ports/jail.ts'
import { descendants, isAlive } from '../services/processes.ts'
import { growing, hiding, hostileArguments } from './fixtures/hostile-decoder.ts'
import { openPlace, type Place, quarters } from './fixtures/visits.ts'

const mebibyte = 1024 * 1024
/** More than any child may hold here that was granted the least. */
const farTooMuch = 1_536

/** How a visit ended: what killed the decoder, the code of a refusal or of another error, or pass. */
const endOf = (visit: Promise<Verdict>): Promise<string> =>
  visit.then(
    (verdict) => (verdict.verdict === 'pass' ? 'pass' : verdict.code),
    (err: unknown) => (isRindleError(err) ? (err.code === 'decoder_killed' ? err.details.reason : err.code) : String(err)),
  )

describe('a decoder that a file took over', { timeout: 300_000 }, () => {
  let scratchFolder: string
  let picture: Buffer
  const open: Place[] = []
  const hostile = async (onVisit: string, more: Parameters<typeof openPlace>[0] = {}): Promise<Place> => {
    const place = await openPlace({ scratchFolder, maxDecodeBytes: 64 * mebibyte, nodeArguments: hostileArguments(onVisit), ...more })
    open.push(place)
    return place
  }
  /** Visits once, closes, and sees that nothing is left of it. */
  const endOnce = async (onVisit: string, more: Parameters<typeof openPlace>[0] = {}): Promise<string> => {
    const place = await hostile(onVisit, more)
    const said = await endOf(place.visit(picture, 'a.png'))
    const left = descendants(process.pid)
    await place.close()
    assert.deepEqual(await readdir(scratchFolder), [])
    // A process that was ended is still to be seen until the kernel has come to it.
    for (let looks = 0; looks < 100 && left.some(isAlive); looks += 1) await sleep(10)
    assert.deepEqual(left.filter(isAlive), [])
    return said
  }
  before(async () => {
    scratchFolder = await mkdtemp(join(tmpdir(), 'rindle-hostile-'))
    picture = await quarters(4, 4)
  })
  after(async () => {
    for (const place of open) await place.close()
    await rm(scratchFolder, { recursive: true })
  })

  it('passes with what a sound one says, so that the others end for what they say besides', async () => {
    assert.equal(await endOnce(`() => say(pass)`), 'pass')
    assert.equal(await endOnce(`() => { say({ kind: 'gated' }); say(pass) }`), 'pass')
  })

  it('is ended when it says twice that the gate is over, or anything that is no answer', async () => {
    const nonsense = /^it (answered nonsense|ended by SIGKILL)$/
    assert.match(await endOnce(`() => { say({ kind: 'gated' }); say({ kind: 'gated' }); say(pass) }`), nonsense)
    assert.match(await endOnce(`() => { say({ kind: 'warm', problem: null, versions: null }); say(pass) }`), nonsense)
    assert.match(await endOnce(`() => { replies.write('{"kind":"pass"}\\n'); say(pass) }`), nonsense)
    assert.match(await endOnce(`() => { say({ kind: 'ask', start: 0, end: 10 }); say(pass) }`), /asked for more than it may have/)
  })

  it('is ended when it floods, with lines or with one that has no end, and costs this process nothing', async () => {
    const flood = (piece: string): string =>
      `() => { const more = () => { while (replies.write(${piece})); replies.once('drain', more) }; more() }`
    globalThis.gc?.()
    const before = process.memoryUsage.rss()
    const lines = ['{"kind":"need","bytes":1}', '{"kind":"progress","fraction":0.5}', '']
    for (const piece of [...lines.map((line) => `'${line}\\n'.repeat(4096)`), `'x'.repeat(65536)`]) {
      const began = performance.now()
      assert.match(await endOnce(flood(piece)), /^it (answered nonsense|ended by SIGKILL|asked for more than it may have)$/)
      assert.ok(performance.now() - began < 8_000)
    }
    assert.ok(process.memoryUsage.rss() - before < 200 * mebibyte)
  })

  it('answers for no other visit, neither ahead of it nor with what was asked of the last', async () => {
    const counted = `{ ...pass, passed: { ...pass.passed, facts: { ...pass.passed.facts, width: count } } }`
    const ahead = await hostile(`(visit, count) => { say(${counted}); setTimeout(() => say(${counted}), 20) }`)
    for (let visit = 0; visit < 3; visit++) {
      const verdict = await ahead.visit(picture, 'a.png')
      assert.equal(verdict.verdict === 'pass' && verdict.facts.width, 1, 'the first of a fresh one')
      await sleep(200)
    }
    await ahead.close()
    const variant = `{ name: 'of-another', ok: true, path: 'x', contentType: 'image/webp', extension: 'webp', width: 1, height: 1, byteSize: 1, sha256: 'ab'.repeat(32) }`
    const other = `() => say({ ...pass, passed: { ...pass.passed, variants: [${variant}] } })`
    assert.equal(await endOnce(other), 'it answered nonsense')
    const typed = `() => say({ ...pass, passed: { ...pass.passed, facts: { ...pass.passed.facts, contentType: 'image/svg+xml', extension: 'svg' } } })`
    assert.equal(await endOnce(typed), 'it answered nonsense')
  })

  for (const [name, script] of Object.entries({
    'a file in memory that nothing maps': growing.memfd(farTooMuch),
    'memory that it shares': growing.mapped(farTooMuch),
    'memory of several processes, each below its limit': growing.apart(farTooMuch, 4),
  }))
    for (const bubblewrap of [findProgram('bwrap'), null])
      it(`is ended with all that it started when it grows by ${name}, ${bubblewrap ? 'in' : 'without'} a sandbox`, async () => {
        const began = performance.now()
        assert.match(await endOnce(`() => { ${script} }`, { bubblewrap }), /^it took \d+ MiB of memory and may take \d+ MiB$/)
        assert.ok(performance.now() - began < 9_000, 'before its time was over')
      })

  for (const [name, script] of Object.entries({ 'a file in memory': hiding.memfd, 'a file of its folder without a name': hiding.file }))
    for (const bubblewrap of [findProgram('bwrap'), null])
      it(`is ended when it keeps ${name} by a mapping alone, ${bubblewrap ? 'in' : 'without'} a sandbox`, async () => {
        assert.match(await endOnce(`(visit) => { ${script} }`, { bubblewrap }), /^it hid from being looked at/)
      })

  it('is ended when it fills its folder with many files, with a folder, with large files, or with one that has lost its name', async () => {
    const stay = `setInterval(() => undefined, 1000)`
    const allocate = (name: string): string =>
      `execFileSync('/usr/bin/fallocate', ['-l', '700M', visit.folder + '/${name}'], { stdio: 'ignore' })`
    const files = `(visit) => { for (let one = 0; one < 100; one++) fs.writeFileSync(visit.folder + '/' + one, ''); ${stay} }`
    assert.equal(await endOnce(files), 'it made more than 16 files, or a folder')
    assert.equal(await endOnce(`(visit) => { fs.mkdirSync(visit.folder + '/in'); ${stay} }`), 'it made more than 16 files, or a folder')
    assert.match(await endOnce(`(visit) => { ${allocate('a')}; ${allocate('b')}; ${stay} }`), /^it wrote 1400 MiB and may write 1152 MiB$/)
    const lost = `(visit) => { ${['a', 'b'].map((name) => `${allocate(name)}; fs.openSync(visit.folder + '/${name}'); fs.unlinkSync(visit.folder + '/${name}')`).join(';')}; ${stay} }`
    for (const bubblewrap of [findProgram('bwrap'), null])
      assert.match(await endOnce(lost, { bubblewrap }), /^it wrote 1400 MiB and may write 1152 MiB$/)
  })

  it('writes no single file beyond its limit, and is ended for one where no limit could be set', async () => {
    const large = `(visit) => {
      try { execFileSync('/usr/bin/fallocate', ['-l', '1400M', visit.folder + '/a'], { stdio: 'ignore' }) } catch { return say(pass) }
      setInterval(() => undefined, 1000) }`
    assert.equal(await endOnce(large), 'pass')
    assert.match(await endOnce(large, { prlimit: null }), /^it wrote 1400 MiB and may write 1152 MiB$/)
  })

  it('is ended when it starts a crowd', async () => {
    const crowd = `() => { for (let one = 0; one < 100; one++) spawn('/usr/bin/sleep', ['60'], { stdio: 'ignore' }) }`
    for (const bubblewrap of [findProgram('bwrap'), null])
      assert.match(await endOnce(crowd, { bubblewrap }), /^it started more than 64 processes/)
  })

  it('is one that a sound visit never looks like, large pictures and the memory that was granted for them included', async () => {
    const place = await openPlace({ scratchFolder: await mkdtemp('/dev/shm/rindle-hostile-') })
    const { facts } = await place.passing(await quarters(6_000, 4_000), 'a.png', {})
    assert.equal(facts.width, 6_000)
    await place.close()
  })
})
