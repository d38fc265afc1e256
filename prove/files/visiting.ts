import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createJail } from '../../src/adapters/processing/jail.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { contentTypes, kindOf } from '../../src/core/content-type.ts'
import { isRindleError } from '../../src/core/errors.ts'
import type { Jail, Visit } from '../../src/core/ports/jail.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import { visitRulesOf } from '../../src/core/visit-rules.ts'
import { silentLogger } from '../../src/adapters/telemetry/logger.ts'

/** What became of a file, and how long it took. */
export interface Told {
  /** `pass`, a code of the catalogue, or in words what has no name. */
  readonly outcome: string
  /** A verdict, or the death of a decoder by that name: what the gate knows what to do with. */
  readonly classified: boolean
  /** What a person would be told. */
  readonly message: string
  readonly ms: number
}

export interface Visiting {
  readonly jail: Jail
  visit(path: string, filename: string, more?: Partial<Visit>): Promise<Told>
  close(): Promise<void>
}

/** Whatever a decoder here may open; the gate takes of these what it can. */
const allowMime = contentTypes.map(({ type }) => type).filter((type) => kindOf(type) !== 'file')

/** The real jail with a profile's default limits, outside of any app. What it writes is gone after each visit. */
export const openVisiting = (folder: string, options: { readonly concurrency?: number } = {}): Visiting => {
  const profile = defineProfile({ storage: memory(), allowMime: ['image/png'], maxBytes: 1e9 })
  const rules = { ...visitRulesOf(profile), allowMime }
  const jail = createJail({ concurrency: 1, logger: silentLogger, ...options })
  mkdirSync(folder, { recursive: true })
  return {
    jail,
    async visit(path, filename, more = {}) {
      const job = mkdtempSync(join(folder, 'visit-'))
      const started = performance.now()
      const since = (): number => Math.round(performance.now() - started)
      try {
        const told = await jail.visit({ path, folder: job, filename, purpose: 'gate', variants: [], ...rules, ...more })
        if (told.verdict === 'pass') return { outcome: 'pass', classified: true, message: told.facts.contentType, ms: since() }
        return { outcome: told.code, classified: true, message: told.message, ms: since() }
      } catch (err) {
        const code = isRindleError(err) ? err.code : null
        const message = err instanceof Error ? err.message : String(err)
        return { outcome: code ?? message, classified: code === 'decoder_killed' || code === 'decoder_starved', message, ms: since() }
      } finally {
        rmSync(job, { recursive: true, force: true })
      }
    },
    close: () => jail.close(),
  }
}
