import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../../src/adapters/processing/jail/programs.ts'

/** What systems call nobody. */
const nobody = { uid: 65_534, gid: 65_534 }
const root = fileURLToPath(new URL('../../', import.meta.url))

const whyNot = (): string | false => {
  if (process.getuid?.() !== 0) return 'only root may start a process of another user'
  if (findProgram('bwrap') === null) return 'bubblewrap is not installed'
  const started = spawnSync(
    process.execPath,
    ['--eval', `require('node:fs').readFileSync(${JSON.stringify(join(root, 'package.json'))})`],
    {
      ...{ ...nobody, env: {}, cwd: '/' },
    },
  )
  return started.status === 0 ? false : 'nobody may read this folder, or start this Node.js'
}

describe('the jail of a user without rights', { skip: whyNot(), timeout: 120_000 }, () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'rindle-nobody-'))
    chownSync(folder, nobody.uid, nobody.gid)
  })
  after(() => rmSync(folder, { recursive: true }))

  /** What a script of that user says, as JSON: `place` is a jail that wants all of its walls, `hostile` what one is opened with to be taken over. */
  const asNobody = async (script: string): Promise<unknown> => {
    const whole = `
      import { readdirSync, readFileSync } from 'node:fs'
      import { openPlace, quarters, recipe } from ${JSON.stringify(new URL('fixtures/visits.ts', import.meta.url).href)}
      import { growing, hiding, hostileArguments } from ${JSON.stringify(new URL('fixtures/hostile-decoder.ts', import.meta.url).href)}
      import { descendants } from ${JSON.stringify(new URL('../services/processes.ts', import.meta.url).href)}
      const open = (more) => openPlace({ require: true, scratchFolder: process.env.TMPDIR, ...more })
      const hostile = async (onVisit) => {
        const place = await open({ maxDecodeBytes: 64 * 1024 * 1024, nodeArguments: hostileArguments(onVisit) })
        const said = await place.visit(await quarters(4, 4), 'a.png').then(({ verdict }) => verdict, (err) => err.details?.reason ?? String(err))
        await place.close()
        return said
      }
      const said = await (async () => { ${script} })()
      console.log(JSON.stringify(said))`
    const options = ['--conditions=rindle-source', '--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', whole]
    const child = spawn(process.execPath, options, {
      ...{ ...nobody, cwd: '/', env: { TMPDIR: folder } },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await once(child, 'close')
    return JSON.parse(said)
  }

  it('has all of its walls, and makes variants behind them', async () => {
    const said = await asNobody(`
      const place = await open()
      const { made } = await place.passing(await quarters(40, 40), 'a.png', { thumb: recipe({ width: 10 }) })
      const { walls } = await place.jail.report(['image/png'])
      await place.close()
      return { uid: process.getuid(), width: made.thumb.width, missing: walls.filter(({ stands }) => !stands) }`)
    assert.deepEqual(said, { uid: nobody.uid, width: 10, missing: [] })
    assert.deepEqual(readdirSync(folder), [])
  })

  it('has decoders that may not start more processes and threads than their own limit, which counts none of its others', async () => {
    const said = await asNobody(`
      const place = await open()
      await place.passing(await quarters(40, 40), 'a.png', {})
      const limits = descendants().map((pid) => /^Max processes +(\\d+)/m.exec(readFileSync('/proc/' + pid + '/limits', 'utf8'))?.[1])
      await place.close()
      const crowd = "() => { for (let one = 0; one < 100; one++) spawn('/usr/bin/sleep', ['60'], { stdio: 'ignore' }) }"
      return { isLimited: limits.includes('1024'), crowd: await hostile(crowd) }`)
    assert.deepEqual(said, {
      isLimited: true,
      crowd: 'it started more than 64 processes or 1024 threads, or opened 2048 files',
    })
  })

  it('ends a decoder that lets nobody look at it', async () => {
    assert.match(String(await asNobody(`return hostile('(visit) => { ' + hiding.unseen + ' }')`)), /^it hid from being looked at/)
  })

  it('sees what a decoder takes in its sandbox', async () => {
    for (const way of ['memfd', 'mapped'] as const)
      assert.match(String(await asNobody(`return hostile('() => { ' + growing.${way}(1536) + ' }')`)), /^it took \d+ MiB of memory/)
    const lost = `(visit) => { for (const name of ['/a', '/b']) {
      execFileSync('/usr/bin/fallocate', ['-l', '700M', visit.folder + name], { stdio: 'ignore' })
      fs.openSync(visit.folder + name)
      fs.unlinkSync(visit.folder + name)
    } setInterval(() => undefined, 1000) }`
    assert.equal(await asNobody(`return hostile(${JSON.stringify(lost)})`), 'it wrote 1400 MiB and may write 1152 MiB')
  })
})
