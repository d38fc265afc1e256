import { createKeyRing } from '../src/core/key-ring.ts'
import { emitEvents } from '../src/flows/ops/emit-events.ts'
import { withOneServer } from './database.ts'
import type { Proof, ProofContext } from './harness.ts'
import { noting, spoken, striking, type Way } from './nth/ways.ts'
import { type Canaries, createCanaries } from './secrets/canaries.ts'
import { confiding, filming } from './secrets/confidant.ts'
import { knockAtDoors } from './secrets/doors.ts'
import { type Ears, openEars } from './secrets/ears.ts'
import { playFilms } from './secrets/films.ts'
import { misfits } from './secrets/misfits.ts'
import { rowReader } from './rows.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { scenarios } from './scenarios/table.ts'
import type { Testbed, Trouble } from './scenarios/testbed.ts'
import { openTestbeds, share } from './scenarios/testbeds.ts'
import { createWorld } from './scenarios/world.ts'

/** Secrets enter by every way there is, and everything that the library says, throws or writes down is searched for them. */
export const secrets: Proof = {
  name: 'secrets',
  means:
    'of what is secret nothing is seen in logs, telemetry, on streams, in errors with all their causes, in jobs or in rows, whatever goes wrong',
  unit: 'playings',
  amount: { ci: 24, full: 2_000 },
  shows: { canaries: 'canaries', kinds: 'kinds of secrets' },
  async run(context) {
    const canaries = createCanaries(context.random.fork('canaries'))
    const ears = openEars(canaries, context.breach)
    try {
      for (const misfit of misfits(canaries))
        await misfit().then(() => context.breach('an app that is set up wrongly was taken'), ears.hear)
      const { runs, requests, films } = await withOneServer(async () => ({
        requests: await knockAtDoors(canaries, ears),
        films: await playFilms(context, canaries, ears),
        runs: await playAll(context, canaries, ears),
      }))
      if (canaries.count() < 40) context.breach(`only ${canaries.count()} secrets were planted`)
      for (const what of ['logged', 'published', 'thrown', 'read']) if (!ears.heard()[what]) context.breach(`nothing was ever ${what}`)
      return { runs, figures: { requests, films, canaries: canaries.count(), kinds: canaries.planted().size, ...ears.heard() } }
    } finally {
      ears.close()
    }
  },
}

const purposes = [...['put', 'get', 'track'].flatMap((purpose) => [`ticket:${purpose}:authenticate`, `ticket:${purpose}:seal`]), 'doctor']

const playAll = async (context: ProofContext, canaries: Canaries, ears: Ears): Promise<number> => {
  const appSecrets = [1, 2, 3].map((number) => canaries.plant(`secret ${number} of the app`))
  for (const purpose of purposes)
    for (const key of createKeyRing(appSecrets).keysFor(purpose)) {
      canaries.add('a derived key', key.export().toString('hex'))
      canaries.add('a derived key', key.export().toString('base64'))
    }
  const environment = canaries.plant('a variable of the environment')
  process.env['RINDLE_PROOF_SECRET'] = environment
  const testbeds = await openTestbeds(context, {
    logger: ears.logger,
    secrets: appSecrets,
    password: canaries.plant('the password of the database'),
  })
  const readers = new Map(
    await Promise.all(testbeds.map(async (testbed) => [testbed, await rowReader(testbed.database, ['rindle', 'rindle_queue'])] as const)),
  )
  const most = context.size === 'ci' ? context.amount / 2 : scenarios.length
  const all = [confiding(canaries), filming(canaries), ...context.random.shuffle(scenarios).slice(0, most)]
  const play = async (testbed: Testbed, scenario: Scenario, trouble: Trouble, undisturbed: boolean): Promise<boolean> => {
    await testbed.begin(listening(trouble, canaries), (text) => context.breach(`${scenario.name}: ${text}`))
    const { random, seed } = context
    const label = scenario.name
    const world = createWorld(testbed, {
      random: random.fork(`${seed} ${label}`),
      label,
      undisturbed,
      breach: () => undefined,
      hear: ears.hear,
    })
    await scenario.play(world).catch(ears.hear)
    testbed.calm()
    ears.readRows((await readers.get(testbed)?.()) ?? '')
    await emitEvents(testbed.ctx, null, { holder: label })
    return true
  }

  const ways: { readonly scenario: Scenario; readonly way: Way }[] = []
  await share(testbeds, all, context.signal, (testbed, scenario) => {
    const noted = noting(testbed.clock)
    return play(testbed, scenario, noted.trouble, true).finally(() => ways.push(...noted.ways().map((way) => ({ scenario, way }))))
  })
  const chosen = context.random.shuffle(ways).slice(0, Math.max(0, context.amount - all.length))
  await share(testbeds, chosen, context.signal, (testbed, { scenario, way }) => {
    const struck = striking(way, testbed.clock)
    return play(testbed, scenario, struck.trouble, false).catch((err: unknown) => {
      context.breach(`${scenario.name} ${spoken(way)}: ${String(err)}`)
      return true
    })
  })
  return all.length + chosen.length
}

/** Whatever is signed is a secret from then on. */
const listening = (trouble: Trouble, canaries: Canaries): Trouble => ({
  ...trouble,
  storage(bare) {
    const { signPut, signGet, multipart, ...adapter } = bare
    const kept = <T extends { readonly url: string }>(name: string, signed: T): T => {
      const signature = new URL(signed.url).searchParams.get('x-signature')
      if (signature) canaries.add(name, signature)
      return signed
    }
    const overheard = {
      ...adapter,
      ...(signPut ? { signPut: async (...given: Parameters<typeof signPut>) => kept('a ticket', await signPut(...given)) } : {}),
      ...(signGet ? { signGet: async (...given: Parameters<typeof signGet>) => kept('a signed address', await signGet(...given)) } : {}),
      ...(multipart
        ? {
            multipart: {
              ...multipart,
              signPart: async (...given: Parameters<typeof multipart.signPart>) =>
                kept('a ticket of a part', await multipart.signPart(...given)),
            },
          }
        : {}),
    }
    return trouble.storage?.(overheard) ?? overheard
  },
})
