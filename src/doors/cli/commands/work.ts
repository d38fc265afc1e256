import { contextOf } from '../../../context.ts'
import { RindleError } from '../../../core/errors.ts'
import type { Command, Flags } from '../command.ts'
import { untilAborted } from '../until-aborted.ts'

export const work: Command = {
  name: 'work',
  summary:
    'Run a worker until it is told to stop: SIGTERM or SIGINT, after which what it has begun gets 20 s to end, and the rest is given back to others.',
  effect: 'changes',
  flags: {
    concurrency: { help: 'How many files are worked on at once (default 2); no more decoders than cores.', value: 'N' },
    encoders: { help: 'How many films and sounds are encoded at once (default 1); 0 leaves them to other workers.', value: 'N' },
  },
  async run({ flags, app, say, signal }) {
    const [concurrency, encoders] = [placesOf(flags, 'concurrency', 1), placesOf(flags, 'encoders', 0)]
    const rindle = await app()
    await rindle.ready()
    const worker = rindle.work({ ...(concurrency === null ? {} : { concurrency }), ...(encoders === null ? {} : { encoders }) })
    say(`${contextOf(rindle).host.workerName} works; stop it with SIGTERM or Ctrl-C.`)
    await Promise.race([worker.failed, untilAborted(signal)])
    say('Stopping: what has begun gets 20 s to end; the rest is given back.')
    await worker.stop()
    return { ok: true, summary: 'The worker has stopped.', rows: [] }
  },
}

const placesOf = (flags: Flags, name: string, least: number): number | null => {
  const given = flags[name]
  if (given === undefined) return null
  const places = Number(given)
  if (Number.isInteger(places) && places >= least && places <= 64) return places
  throw new RindleError('argument_invalid', { argument: `--${name}`, problem: `a whole number from ${least} to 64` })
}
