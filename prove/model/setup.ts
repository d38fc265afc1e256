/** How long everything lasts, in seconds. */
export interface Durations {
  readonly lease: number
  /** A lease's holder begins no write so long before its end. */
  readonly margin: number
  /** How long a row waits for its job before the sweep enqueues another. */
  readonly wakeUp: number
  readonly residue: number
  readonly ticket: number
  readonly session: number
  readonly endedSession: number
  /** How long after a ticket's end a PUT may still land. */
  readonly signedWatch: number
  /** How long after a lease's end, or a deletion's beginning, a write of our own may still land. */
  readonly ownWatch: number
  /** What dooming adds for it: `ownWatch` and the longest lease. */
  readonly writeWatch: number
  readonly keep: number
  readonly firstBackoff: number
  readonly lastBackoff: number
  readonly firstDelay: number
  readonly lastDelay: number
}

/** As the library has them, with a quarantine of ten minutes. */
export const realDurations: Durations = {
  lease: 30,
  margin: 5,
  wakeUp: 60,
  residue: 3_600,
  ticket: 900,
  session: 86_400,
  endedSession: 86_400,
  signedWatch: 86_400,
  ownWatch: 3_600,
  writeWatch: 7_200,
  keep: 600,
  firstBackoff: 5,
  lastBackoff: 3_600,
  firstDelay: 10,
  lastDelay: 3_600,
}

/** The same in order, and few enough that moments coincide: what is explored exhaustively must end. */
export const smallDurations: Durations = {
  lease: 3,
  margin: 1,
  wakeUp: 1,
  residue: 4,
  ticket: 3,
  session: 4,
  endedSession: 8,
  signedWatch: 4,
  ownWatch: 4,
  writeWatch: 7,
  keep: 4,
  firstBackoff: 1,
  lastBackoff: 1,
  firstDelay: 1,
  lastDelay: 1,
}

/** The ten rules, as far as a model of rows, bytes and time can express them. Each can be left out, to see what it is for. */
export const ruleNames = {
  due: '1 the row is the promise: an owed row has a due date',
  rowFirst: '2 row before byte',
  freshKey: '3 a key is written by one attempt only',
  gateSealed: '4 gate what is served',
  fence: '5 settle names the fence',
  ownersDoom: "6 only its owner's move dooms a reserved object",
  watch: '7 deleted is not gone',
  lockFirst: '8 lock, then look',
  oneStatement: '9 one statement an event',
  claimCommits: '10 claim commits before the touch, settle after it',
} as const

export type RuleName = keyof typeof ruleNames
export type Rules = Readonly<Record<RuleName, boolean>>

const isRuleName = (name: string): name is RuleName => name in ruleNames
export const allRuleNames: readonly RuleName[] = Object.keys(ruleNames).filter(isRuleName)

export const rulesWithout = (...off: readonly RuleName[]): Rules => ({
  due: !off.includes('due'),
  rowFirst: !off.includes('rowFirst'),
  freshKey: !off.includes('freshKey'),
  gateSealed: !off.includes('gateSealed'),
  fence: !off.includes('fence'),
  ownersDoom: !off.includes('ownersDoom'),
  watch: !off.includes('watch'),
  lockFirst: !off.includes('lockFirst'),
  oneStatement: !off.includes('oneStatement'),
  claimCommits: !off.includes('claimCommits'),
})

/** What a bounded exploration may still do; each action uses up one of its kind. */
export interface Budget {
  readonly sign: number
  readonly put: number
  /** Calls of storage that do not simply take effect: late, never, unseen. */
  readonly fault: number
  readonly verify: number
  readonly cancel: number
  readonly claim: number
  readonly build: number
  readonly delete: number
  readonly kill: number
  readonly beat: number
  readonly sweep: number
  readonly purgeJob: number
  readonly settle: number
  readonly attach: number
  readonly detach: number
  readonly purge: number
  readonly release: number
  readonly tick: number
}

export type BudgetName = keyof Budget

export const nothingLeft: Budget = {
  sign: 0,
  put: 0,
  fault: 0,
  verify: 0,
  cancel: 0,
  claim: 0,
  build: 0,
  delete: 0,
  kill: 0,
  beat: 0,
  sweep: 0,
  purgeJob: 0,
  settle: 0,
  attach: 0,
  detach: 0,
  purge: 0,
  release: 0,
  tick: 0,
}

/** What clients may send: two files that the gate passes, one that it refuses, all of one length; and one of another length. */
export type Sent = 'a' | 'b' | 'x' | 'w'

/** One world: what there is in it, and which rules hold. */
export interface Setup {
  readonly durations: Durations
  readonly rules: Rules
  /** How many uploads there are. */
  readonly lives: number
  readonly slots: number
  readonly hasVariant: boolean
  /** Conditions that the storage makes sure of. */
  readonly honours: { readonly createOnly: boolean; readonly ifMatch: boolean; readonly length: boolean }
  /** Whether the past of an asset counts, in lost leases and longer waits. What is explored forgets it. */
  readonly remembers: boolean
  /** How many claims, verifiers and deleters may be on their way at once. */
  readonly actors: number
  readonly sends: readonly Sent[]
  readonly budget: Budget
}
