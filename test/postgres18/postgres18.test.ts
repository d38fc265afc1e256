import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import pg from 'pg'
import { sharedServerVariable } from '../services/postgres.ts'
import { hasPostgres18, startPostgres18 } from '../services/postgres18.ts'

// The journeys below find this server as the one of their run, and run on it alone.
const server = hasPostgres18() ? await startPostgres18() : null
if (server) {
  process.env[sharedServerVariable] = server.url
  process.env['RINDLE_TEST_ENGINES'] = 'postgres,postgres-runtime-role'
  after(() => server.stop())
  await import('../journeys/attach.test.ts')
}

describe('PostgreSQL 18', { skip: server ? false : 'the package with PostgreSQL 18 is not installed' }, () => {
  it('is what the journeys above ran on', async () => {
    assert.ok(server)
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    const { rows } = await client.query('show server_version_num')
    await client.end()
    assert.equal(Math.floor(Number(rows[0]?.server_version_num) / 10_000), 18)
  })
})
