import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { skipWithoutClamd, startClamd } from './clamd.ts'
import { isAlive } from './processes.ts'

describe('the clamd of the tests', { skip: skipWithoutClamd }, () => {
  it('is gone with its files after it was stopped, and after it was killed', async () => {
    for (const end of ['stop', 'kill'] as const) {
      const clamd = await startClamd()
      assert.ok(isAlive(clamd.pid) && existsSync(clamd.socketPath))
      await clamd[end]()
      assert.ok(!isAlive(clamd.pid))
      assert.ok(!existsSync(dirname(clamd.socketPath)))
    }
  })

  it('does not outlive a starter that is killed', async () => {
    const source = `import { startClamd } from ${JSON.stringify(new URL('clamd.ts', import.meta.url).href)}
      const { pid, socketPath } = await startClamd()
      console.log(JSON.stringify({ pid, socketPath }))
      setInterval(() => {}, 1000)`
    const starter = spawn(process.execPath, ['--input-type=module-typescript', '--eval', source], { stdio: ['ignore', 'pipe', 'inherit'] })
    const { pid, socketPath }: { pid: number; socketPath: string } = JSON.parse(String((await once(starter.stdout, 'data'))[0]))
    starter.kill('SIGKILL')
    for (let patience = 100; isAlive(pid) || existsSync(dirname(socketPath)); patience--) {
      assert.ok(patience > 0, 'it is still there five seconds later')
      await sleep(50)
    }
  })

  it('says why it did not start', async () => {
    await assert.rejects(startClamd({ settings: { NoSuchSetting: 'yes' } }), /clamd did not start:[^]*NoSuchSetting/)
  })
})
