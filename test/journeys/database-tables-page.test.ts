import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { assetMachine } from '../../src/core/asset.ts'
import { variantMachine } from '../../src/core/variant.ts'
import { type EngineDatabase, engines } from '../services/engines.ts'
import { openPrisma } from './transactions-prisma.ts'

const page = readFileSync(new URL('../../docs/reference/tables.md', import.meta.url), 'utf8')

/** The code after a fence that begins with these words. */
const code = (fence: string): string => {
  const found = new RegExp(`\`\`\`${fence}\n([^]*?)\n\`\`\``).exec(page)?.[1]
  assert.ok(found, `the page has no ${fence}`)
  return found
}

const asset = '019a0000-0000-7000-8000-00000000000a'
const expected = [
  { id: 1, name: 'Ada', state: 'ready', width: 640, height: 480 },
  { id: 2, name: 'Bob', state: null, width: null, height: null },
]

for (const engine of engines.filter(({ name }) => name === 'postgres')) {
  describe('the page about tables', { skip: engine.skip }, () => {
    let database: EngineDatabase
    const folder = new URL(`../../.cache/tables-page-${process.pid}/`, import.meta.url)

    before(async () => {
      mkdirSync(folder, { recursive: true })
      database = await engine.open()
      await database.query('create table members (id integer primary key, name text not null)')
      await database.query(`insert into members values (1, 'Ada'), (2, 'Bob')`)
      await database.query(
        `insert into rindle.media_assets (id, profile, state, filename, content_type, width, height, inserted_at, state_changed_at)
         values ($1, 'avatar', 'ready', 'me.png', 'image/png', 640, 480, now(), now())`,
        [asset],
      )
      await database.query(
        `insert into rindle.media_attachments (id, owner_type, owner_id, slot, many, asset_id, standing, due_at, inserted_at)
         values (gen_random_uuid(), 'Member', '1', 'avatar', false, $1, 'current', null, now()), (gen_random_uuid(), 'Member', '2', 'avatar', false, $1, 'released', now(), now())`,
        [asset],
      )
    })
    after(async () => {
      rmSync(folder, { recursive: true, force: true })
      await database.close()
    })

    const exported = async (name: string, fence: string): Promise<(db: unknown) => Promise<unknown>> => {
      const file = new URL(`${name}.ts`, folder)
      writeFileSync(file, code(fence))
      const module: { membersWithAvatars(db: unknown): Promise<unknown> } = await import(file.href)
      return module.membersWithAvatars
    }

    it('asks the same in SQL, Drizzle and Prisma, and gets the same', async () => {
      assert.deepEqual(await database.query(code('sql')), expected)

      const pool = new pg.Pool({ connectionString: database.place })
      assert.deepEqual(await (await exported('drizzle', 'ts drizzle'))(drizzle(pool)), expected)
      await pool.end()

      const prisma = openPrisma(database.place)
      assert.deepEqual(await (await exported('prisma', 'ts prisma'))(prisma), expected)
      await prisma.$disconnect()
    })

    it('names only columns that are there, with their types', async () => {
      const sections = page.split('\n## `').slice(1)
      const named = sections.flatMap((section) => {
        const table = /^rindle\.(\w+)`/.exec(section)?.[1]
        const lines = section.split('\n').filter((line) => line.startsWith('| `'))
        return lines.flatMap((line) => {
          const [, names = '', types = ''] = line.split('|')
          const wanted = types.split(',').map((type) => type.trim())
          return [...names.matchAll(/`(\w+)`/g)].map(([, column], i) => ({ table, column, type: wanted[i] ?? wanted[0] ?? '' }))
        })
      })
      assert.ok(named.length > 40)
      const there = await database.query(
        `select c.relname || '.' || a.attname as name, format_type(a.atttypid, null) as type from pg_attribute a join pg_class c on c.oid = a.attrelid
          where c.relnamespace = 'rindle'::regnamespace and a.attnum > 0`,
      )
      const types = new Map(there.map(({ name, type }) => [String(name), String(type)]))
      const long: Record<string, string> = { timestamptz: 'timestamp with time zone', float8: 'double precision' }
      for (const { table, column, type } of named) {
        const found = types.get(`${table}.${column}`)
        assert.ok(found, `${table}.${column} is not there`)
        if (type) assert.equal(found, long[type] ?? type, `${table}.${column}`)
      }
    })

    it('names every state that a row can rest in', () => {
      for (const machine of [assetMachine, variantMachine]) {
        const section = page.split('\n## `').find((text) => text.startsWith(`rindle.${machine.table}`)) ?? ''
        const [line = ''] = section.split('\n').filter((text) => text.startsWith('| `state`'))
        const resting = Object.entries(machine.states).filter(([, state]) => !('passing' in state))
        for (const [state] of resting) assert.ok(line.includes(`\`${state}\``), `${machine.table} ${state}`)
      }
    })
  })
}
