import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { isRindleError } from '../core/errors.ts'
import type { Carrier, Executor } from '../database/carriers/carrier.ts'
import { createSettableClock } from './clock.ts'
import { databaseFaultsOf, type DatabaseFaultKind, type DatabaseOperation, faultyCarrier } from './faulty-carrier.ts'

/** A database that writes down what was kept. */
const openStand = (kind: DatabaseFaultKind) => {
  const kept: string[] = []
  const clock = createSettableClock()
  const sound: Carrier = {
    engine: 'postgres',
    open: async () => void kept.push('open'),
    async execute(text) {
      kept.push(text)
      return { rows: [{ text }], affected: 1 }
    },
    async transaction(run) {
      const said: string[] = []
      const executor: Executor = {
        async execute(text) {
          said.push(text)
          return { rows: [{ text }], affected: 1 }
        },
        script: async (text) => void said.push(text),
      }
      const answer = await run(executor)
      kept.push(...said)
      return answer
    },
    async listen(channel) {
      kept.push(channel)
      return null
    },
    close: async () => void kept.push('close'),
  }
  const faulty = faultyCarrier({ plan: ({ index }) => (index === 0 ? kind : null), slowMs: 5000, clock })
  return { kept, clock, faulty, sound, carrier: faulty.carrier(sound) }
}

const runs: Readonly<Record<DatabaseOperation, { readonly whole: readonly string[]; run(carrier: Carrier): Promise<unknown> }>> = {
  open: { whole: ['open'], run: (carrier) => carrier.open() },
  statement: { whole: ['one'], run: (carrier) => carrier.execute('one', []) },
  transaction: {
    whole: ['one', 'two'],
    run: (carrier) =>
      carrier.transaction(async (on) => {
        await on.execute('one', [])
        await on.script?.('two')
        return 'answer'
      }),
  },
  listen: { whole: ['channel'], run: (carrier) => carrier.listen('channel', () => undefined) },
}

const isLost = (err: unknown): boolean => isRindleError(err) && err.code === 'database_unavailable' && err.retryable
const isOperation = (name: string): name is DatabaseOperation => name in runs

for (const [operation, kinds] of Object.entries(databaseFaultsOf))
  describe(`a fault in ${operation} of the database`, () => {
    assert.ok(isOperation(operation))
    const { run, whole } = runs[operation]
    for (const kind of kinds)
      it(kind, async () => {
        const { carrier, kept, clock, faulty } = openStand(kind)
        if (kind === 'slow') {
          const running = run(carrier)
          clock.advance(4)
          await pause(1)
          assert.deepEqual(kept, [])
          clock.advance(1)
          await running
        } else {
          await assert.rejects(run(carrier), isLost)
        }
        assert.deepEqual(kept, kind === 'slow' || kind === 'fail_after' ? whole : [])
        assert.deepEqual(faulty.log, [{ port: 'database', index: 0, operation, kind }])
        kept.length = 0
        await run(carrier)
        assert.deepEqual(kept, whole, 'the next call is sound')
      })
  })

describe('a connection that is lost inside a transaction', () => {
  it('answers the first statement and nothing after it, whatever the body makes of that', async () => {
    const { carrier, kept } = openStand('fail_inside')
    const heard: unknown[] = []
    const lost = carrier.transaction(async (on) => {
      heard.push((await on.execute('one', [])).rows)
      for (const text of ['two', 'three']) await on.execute(text, []).catch((err: unknown) => heard.push(isLost(err)))
    })
    await assert.rejects(lost, (err) => isRindleError(err) && err.code === 'database_unavailable' && err.details.operation === 'commit')
    assert.deepEqual([heard, kept], [[[{ text: 'one' }], true, true], []])
  })

  it('keeps a body of one statement from its commit', async () => {
    const { carrier, kept } = openStand('fail_inside')
    await assert.rejects(
      carrier.transaction((on) => on.execute('one', [])),
      isLost,
    )
    assert.deepEqual(kept, [])
  })

  it('throws what the body threw, where it ended by itself', async () => {
    const { carrier } = openStand('fail_inside')
    await assert.rejects(
      carrier.transaction(() => Promise.reject(new RangeError('mine'))),
      RangeError,
    )
  })
})

describe('a database with faults', () => {
  it('lets go of a sound one, and refuses what cannot happen', async () => {
    const { carrier, kept } = openStand('fail_inside')
    await assert.rejects(carrier.execute('one', []), (err) => isRindleError(err) && err.code === 'argument_invalid')
    await carrier.close()
    assert.deepEqual([kept, carrier.engine], [['close'], 'postgres'])
  })

  it('is sound while it is calm', async () => {
    const { sound, kept } = openStand('slow')
    const faulty = faultyCarrier({ rate: 1, kinds: ['fail_before'] })
    const carrier = faulty.carrier(sound)
    await assert.rejects(carrier.execute('one', []), isLost)
    faulty.calm()
    await carrier.execute('two', [])
    faulty.rouse()
    await assert.rejects(carrier.execute('three', []), isLost)
    assert.deepEqual(kept, ['two'])
    assert.deepEqual(
      faulty.log.map(({ index }) => index),
      [0, 2],
    )
  })
})
