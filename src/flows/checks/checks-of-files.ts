import type { RindleContext } from '../../context.ts'
import { type Check, fine, problem, type Saying, warning } from '../../core/diagnosis.ts'
import { operatorCures } from '../../core/operator-cures.ts'
import { longestOwedSeconds, secondsAfter } from '../../core/patience.ts'
import {
  countFailedVariants,
  countNeverAttached,
  countOwedSince,
  countQuarantined,
  countWaitingAtGate,
  countWaitingVariants,
  listNamesInUse,
  mostCounted,
  type Waiting,
} from '../../database/queries/diagnosis.ts'

const stuckAfterSeconds = 600
/** Films are encoded one after another, so that a day's are no trouble by themselves. */
const unbegunAfterSeconds = 3_600
const looseAfterSeconds = 86_400
const ofRows = { needs: 'schema', uses: ['rights'] } as const

/** What rows tell about files, counted so far and no further. */
export const checksOfFiles: readonly Check<RindleContext>[] = [
  {
    name: 'names',
    means: 'The profiles and stores that rows name are still declared; of large tables the oldest and newest rows are looked at.',
    ...ofRows,
    async look({ db, profiles, stores }) {
      const used = await listNamesInUse(db.pool)
      const known = new Set(stores.all().map(({ id }) => id))
      const gone = [
        ...used.profiles
          .filter((name) => !Object.hasOwn(profiles, name))
          .map((name) => problem('Assets are of this profile, which is not declared.', 'Declare it again, or purge its assets.', name)),
        ...used.stores
          .filter((id) => !known.has(id))
          .map((id) =>
            problem('Objects are kept in this store, which no profile uses.', 'Name it in createRindle({ stores: [...] }).', id),
          ),
      ]
      return gone.length > 0 ? gone : [fine('Rows name only profiles and stores that are declared.')]
    },
  },
  {
    name: 'owed',
    means: 'No row of any table waits for a worker two hours after it was due: longer than any attempt, and any pause after one.',
    ...ofRows,
    async look({ db }) {
      const owed = await countOwedSince(db.pool, secondsAfter(await db.clock.read(), -longestOwedSeconds))
      if (!owed) return [fine('Somebody comes for every row that is due.')]
      const rows =
        owed.count > mostCounted ? `More than ${mostCounted} rows wait` : owed.count === 1 ? 'One row waits' : `${owed.count} rows wait`
      return [problem(`${rows} for a worker since ${owed.oldest.toISOString()}.`, 'Start one: `rindle work`.')]
    },
  },
  {
    name: 'gate',
    means: 'No file has waited at the gate for ten minutes, or was put off; of those that do, why and since when.',
    ...ofRows,
    async look({ db }) {
      const waiting = await countWaitingAtGate(db.pool, secondsAfter(await db.clock.read(), -stuckAfterSeconds))
      return waiting.length === 0 ? [fine('No file is stuck at the gate.')] : waiting.map(stuck)
    },
  },
  {
    name: 'variants',
    means: 'No variant was put off, or has waited for an hour; of those that were, why; and how many could not be made.',
    ...ofRows,
    async look({ db }) {
      const waiting = await countWaitingVariants(db.pool, secondsAfter(await db.clock.read(), -unbegunAfterSeconds))
      const failed = await countFailedVariants(db.pool)
      const said = [...waiting.map(late), ...failed.map(unmade)]
      return said.length === 0 ? [fine('Every variant is there, or is being made.')] : said
    },
  },
  {
    name: 'quarantine',
    means: 'How many files are held back and kept, by why; those that ended workers or decoders want to be looked at.',
    ...ofRows,
    async look({ db }) {
      const kept = await countQuarantined(db.pool)
      const look = 'Look at them with `rindle quarantine`.'
      return kept.length === 0
        ? [fine('No file is held back.')]
        : kept.map(({ code, count }) =>
            code === 'worker_lost' || code === 'decoder_killed'
              ? warning(`${many(count)} held back for ending what opened them.`, operatorCures[code] ?? look, code)
              : fine(`${many(count)} held back and kept for a while.`, code),
          )
    },
  },
  {
    name: 'unattached',
    means: 'How many files passed the gate more than a day ago and were never put into a slot.',
    ...ofRows,
    async look({ db, slots }) {
      if (Object.keys(slots).length === 0) return [fine('The app declares no slots.')]
      const count = await countNeverAttached(db.pool, secondsAfter(await db.clock.read(), -looseAfterSeconds))
      if (count === 0) return [fine('Every file was put into a slot, or is younger than a day.')]
      return [fine(`${many(count)} in no slot; unattached: { purgeAfterSeconds } of a profile takes such files away by itself.`)]
    },
  },
]

const stuck = ({ code, count, oldest }: Waiting): Saying => {
  const since = `; the oldest came at ${oldest.toISOString()}`
  if (code === null) return problem(`${many(count)} waiting for a worker${since}.`, 'Start one: `rindle work`.')
  return (code === 'lease_lost' ? warning : problem)(`${many(count)} put off${since}.`, cureOf(code), code)
}

const cureOf = (code: string): string =>
  operatorCures[code] ?? 'Read the log of the worker; every attempt is in media_processing_runs. They are taken up again by themselves.'

const late = ({ code, count, oldest }: Waiting): Saying => {
  const since = `; the longest since ${oldest.toISOString()}`
  if (code === null) return warning(`${many(count)} waiting for variants to be begun${since}.`, toEncode)
  return (code === 'lease_lost' ? warning : problem)(`${many(count)} put off with variants to be made${since}.`, cureOf(code), code)
}

const toEncode = 'Start more workers, or let them encode more at once: `rindle work --encoders 2`; with `--encoders 0` alone nobody does.'

const unmade = ({ code, count }: { readonly code: string; readonly count: number }): Saying =>
  code === 'source_broken' || code === 'variant_failed'
    ? fine(`${many(count)} without a variant that could not be made.`, code)
    : warning(`${many(count)} without a variant that could not be made.`, `${operatorCures[code] ?? again} ${toFind}`, code)

const again = '`rindle requeue` has it made again.'
const toFind = "They are in rindle.media_variants, with state 'failed' or 'missing'."

const many = (count: number): string =>
  count > mostCounted ? `More than ${mostCounted} files are` : count === 1 ? 'One file is' : `${count} files are`
