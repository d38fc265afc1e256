/** `problem`: something does not work, or will not. `warning`: it works, and somebody should know. */
export type Level = 'ok' | 'warning' | 'problem'

/** One thing that doctor looked at. */
export interface Finding {
  /** The check's name. */
  readonly check: string
  readonly level: Level
  /** Which of several: a store, a profile, a wall. Null when there is one. */
  readonly subject: string | null
  /** What was found, as a sentence. */
  readonly found: string
  /** What to do; null when nothing has to be done. */
  readonly cure: string | null
}

export interface Diagnosis {
  /** The worst of the findings. */
  readonly level: Level
  /** In the order of the checks. */
  readonly findings: readonly Finding[]
}

/** What a check says, before its name is put to it. */
export type Saying = Omit<Finding, 'check'>

/** One check, as data: doctor goes through them in order. */
export interface Check<C> {
  /** Lower case, with dashes; `--json` and scripts go by it. */
  readonly name: string
  /** What it looks at and how that is judged, in a sentence. */
  readonly means: string
  /** What has to be in order for it to say anything: without it the check is left out. */
  readonly needs?: 'database' | 'schema'
  /** The checks of what it works with: where one is out of order, which is a finding already, nothing is said of what it throws. */
  readonly uses?: readonly ('rights' | 'scratch' | 'jail')[]
  /** Changes nothing. What it throws is a problem, in the error's own words. */
  look(ctx: C): Promise<readonly Saying[]>
}

export const fine = (found: string, subject: string | null = null): Saying => ({ level: 'ok', subject, found, cure: null })
export const warning = (found: string, cure: string, subject: string | null = null): Saying => ({ level: 'warning', subject, found, cure })
export const problem = (found: string, cure: string, subject: string | null = null): Saying => ({ level: 'problem', subject, found, cure })

export const diagnosisOf = (findings: readonly Finding[]): Diagnosis => ({
  level: (['problem', 'warning'] as const).find((level) => findings.some((one) => one.level === level)) ?? 'ok',
  findings,
})
