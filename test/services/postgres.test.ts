import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { administer, createDatabase, hasPostgres, startPostgres, startRestartingPostgres } from './postgres.ts'
import { isAlive } from './processes.ts'

describe('a PostgreSQL of the tests', { skip: hasPostgres() ? false : 'PostgreSQL is not installed' }, () => {
  it('gives every file a database of its own', async () => {
    const server = await startPostgres()
    const [one, two] = [await createDatabase(server), await createDatabase(server)]
    await administer(one.url, 'create table thing (id int)')
    await administer(two.url, 'create table thing (id int)')
    await one.drop()
    await administer(two.url, 'insert into thing values (1)')
    await two.drop()
    await assert.rejects(administer(two.url), { code: '3D000' })
    await server.stop()
  })

  it('comes up again with what was committed when it is killed, where it was asked to', async () => {
    const server = await startRestartingPostgres({ fsync: true })
    await administer(server.url, 'create table thing (id int primary key)', 'insert into thing values (1)')
    await server.crash()
    await assert.rejects(administer(server.url, 'insert into thing values (1)'), { code: '23505' })
    await server.stop()
    await assert.rejects(administer(server.url), { code: 'ECONNREFUSED' })
  })

  it('does not outlive a starter that is killed', async () => {
    const starter = spawn(process.execPath, ['--input-type=module', '--eval', starting], { stdio: ['ignore', 'pipe', 'inherit'] })
    const pid = await firstNumber(starter)
    assert.ok(isAlive(pid))
    starter.kill('SIGKILL')
    await once(starter, 'exit')
    for (let patience = 100; isAlive(pid) && patience > 0; patience--) await sleep(100)
    assert.ok(!isAlive(pid))
  })
})

const starting = `
import { startPostgres } from ${JSON.stringify(new URL('./postgres.ts', import.meta.url).href)}
const server = await startPostgres({ own: true })
console.log(server.pid)
setInterval(() => {}, 1000)
`

async function firstNumber(child: ChildProcess): Promise<number> {
  assert.ok(child.stdout)
  const [chunk] = await once(child.stdout, 'data')
  return Number(String(chunk).trim())
}
