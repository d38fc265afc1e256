import { openedContextOf } from '../../../context.ts'
import { RindleError } from '../../../core/errors.ts'
import { listQuarantined } from '../../../flows/ops/list-quarantined.ts'
import type { Command, Flags } from '../command.ts'

export const quarantine: Command = {
  name: 'quarantine',
  summary: 'List files that are held back, newest first: what each is, why, and until when its bytes are kept.',
  effect: 'reads',
  flags: {
    profile: { help: 'Of that profile only.', value: 'NAME' },
    limit: { help: 'So many at most (default 100, at most 1000).', value: 'N' },
    before: { help: 'Go on after the asset that the former list ended with.', value: 'ASSET' },
  },
  async run({ flags, app }) {
    const page = pageOf(flags)
    const rindle = await app()
    const held = await listQuarantined(await openedContextOf(rindle), page)
    const rows = held.map(({ keptUntil, ...one }) => ({ ...one, keptUntil: keptUntil?.toISOString() ?? null }))
    const last = held.length === page.limit ? held.at(-1) : undefined
    return {
      ok: true,
      summary: last
        ? `${held.length} files; go on with --before ${last.id}.`
        : `${held.length} file${held.length === 1 ? ' is' : 's are'} held back.`,
      rows,
      lines: rows.flatMap((one) => [
        `${one.id}  ${one.profile}  ${one.filename}`,
        `  ${one.code}: ${one.message}`,
        `  ${one.keptUntil === null ? 'Its bytes are not kept any more.' : `Kept until ${one.keptUntil}${one.isReleasable ? '; `rindle release` may let it through.' : '; it cannot be let through.'}`}`,
      ]),
    }
  },
}

const pageOf = (flags: Flags): { readonly profile?: string; readonly before?: string; readonly limit: number } => {
  const { profile, before, limit = '100' } = flags
  const count = Number(limit)
  if (!Number.isInteger(count) || count < 1 || count > 1_000)
    throw new RindleError('argument_invalid', { argument: '--limit', problem: 'a whole number from 1 to 1000' })
  return { limit: count, ...(typeof profile === 'string' ? { profile } : {}), ...(typeof before === 'string' ? { before } : {}) }
}
