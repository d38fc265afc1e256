import { contextOf } from '../../../context.ts'
import { RindleError } from '../../../core/errors.ts'
import type { Command, Flags } from '../command.ts'
import { untilAborted } from '../until-aborted.ts'

export const work: Command = {
  name: 'work',
  summary: 'Run a worker until it is told to stop: SIGTERM or SIGINT, after which it ends what it has begun.',
  effect: 'changes',
  flags: { concurrency: { help: 'How many files are worked on at once (default 2); no more decoders than cores.', value: 'N' } },
  async run({ flags, app, say, signal }) {
    const concurrency = concurrencyOf(flags)
    const rindle = await app()
    await rindle.ready()
    const worker = rindle.work(concurrency === null ? {} : { concurrency })
    say(`${contextOf(rindle).host.workerName} works; stop it with SIGTERM or Ctrl-C.`)
    await Promise.race([worker.failed, untilAborted(signal)])
    say('Stopping: what has begun is brought to an end first.')
    await worker.stop()
    return { ok: true, summary: 'The worker has stopped.', rows: [] }
  },
}

const concurrencyOf = (flags: Flags): number | null => {
  const given = flags['concurrency']
  if (given === undefined) return null
  const concurrency = Number(given)
  if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 64) return concurrency
  throw new RindleError('argument_invalid', { argument: '--concurrency', problem: 'a whole number from 1 to 64' })
}
