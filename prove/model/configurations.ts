import { type Budget, nothingLeft, type RuleName, rulesWithout, type Setup, smallDurations, realDurations } from './setup.ts'

/** A bounded world that is explored to its end. */
export interface Configuration {
  readonly name: string
  readonly setup: Setup
  /** What is explored instead where there is little time. */
  readonly small: Partial<Budget>
}

/** A storage that makes sure of nothing that it is asked for. */
const heedless = { createOnly: false, ifMatch: false, length: true } as const
const strict = { createOnly: true, ifMatch: true, length: true } as const

const world = (more: Partial<Omit<Setup, 'budget'>>, budget: Partial<Budget>): Setup => ({
  ...{ durations: smallDurations, rules: rulesWithout(), lives: 1, slots: 0, hasVariant: false, honours: heedless },
  ...{ remembers: false, actors: 2, sends: ['a', 'b'], ...more, budget: { ...nothingLeft, ...budget } },
})

const sentAndSeen = { sign: 1, put: 1, verify: 1 } as const

export const configurations: readonly Configuration[] = [
  {
    name: 'upload',
    setup: world(
      { sends: ['a', 'w'], honours: { ...heedless, length: false } },
      { sign: 2, put: 2, fault: 1, verify: 3, cancel: 1, tick: 2, sweep: 1, delete: 1 },
    ),
    small: { sign: 1, put: 2, verify: 2, tick: 1, delete: 0 },
  },
  {
    name: 'expiry',
    setup: world({ sends: ['a'] }, { sign: 1, put: 1, fault: 2, verify: 1, cancel: 1, sweep: 2, delete: 2, purgeJob: 1, tick: 6, kill: 1 }),
    small: { fault: 1, sweep: 1, delete: 1, purgeJob: 0, tick: 4, kill: 0 },
  },
  {
    name: 'gate',
    setup: world({ sends: ['a', 'b', 'x'] }, { ...sentAndSeen, put: 2, fault: 2, claim: 2, tick: 2, sweep: 1, beat: 1, kill: 1 }),
    small: { fault: 1, tick: 1, beat: 0, kill: 0 },
  },
  {
    name: 'gate, strict',
    setup: world(
      { sends: ['a', 'b'], honours: strict },
      { ...sentAndSeen, put: 2, fault: 2, claim: 2, tick: 3, sweep: 1, beat: 1, kill: 1 },
    ),
    small: { fault: 1, tick: 1, beat: 0, kill: 0 },
  },
  {
    name: 'zombies',
    setup: world({ sends: ['a'] }, { ...sentAndSeen, fault: 1, claim: 2, tick: 6, sweep: 2, delete: 2, beat: 1 }),
    small: { tick: 4, sweep: 1, delete: 1, beat: 0 },
  },
  {
    name: 'variants',
    setup: world(
      { sends: ['a'], hasVariant: true },
      { ...sentAndSeen, claim: 1, build: 2, fault: 1, tick: 4, sweep: 1, beat: 1, kill: 1, delete: 1 },
    ),
    small: { build: 1, fault: 1, tick: 2, sweep: 1, delete: 0 },
  },
  {
    name: 'slots',
    setup: world(
      { sends: ['a'], lives: 2, slots: 1, actors: 1 },
      { sign: 2, put: 2, verify: 2, claim: 2, attach: 3, detach: 1, settle: 2, purgeJob: 1, purge: 1 },
    ),
    small: { attach: 2, purge: 0, purgeJob: 1, settle: 1 },
  },
  {
    name: 'purges',
    setup: world(
      { sends: ['a', 'x'], slots: 2, hasVariant: true },
      { ...sentAndSeen, claim: 1, attach: 2, detach: 2, settle: 1, purgeJob: 2, purge: 1, tick: 2, sweep: 1, delete: 1 },
    ),
    small: { attach: 1, detach: 1, purgeJob: 1, tick: 1, delete: 0, fault: 0 },
  },
  {
    name: 'quarantine',
    setup: world(
      { sends: ['a', 'x'], slots: 1 },
      {
        ...sentAndSeen,
        put: 2,
        claim: 2,
        attach: 1,
        detach: 1,
        settle: 1,
        release: 1,
        purgeJob: 1,
        tick: 2,
        sweep: 1,
        delete: 1,
      },
    ),
    small: { put: 1, detach: 0, purgeJob: 0, tick: 2, delete: 0 },
  },
]

/** For each rule a world that is too small to break anything while it holds. */
const worldOf: Readonly<Record<RuleName, Setup>> = {
  due: world({}, sentAndSeen),
  rowFirst: world({}, { ...sentAndSeen, claim: 1 }),
  freshKey: world({}, { ...sentAndSeen, put: 2, claim: 1, fault: 1 }),
  gateSealed: world({}, { ...sentAndSeen, put: 2, claim: 1 }),
  fence: world({}, { ...sentAndSeen, claim: 2, tick: 3, delete: 1, sweep: 1 }),
  ownersDoom: world({}, { ...sentAndSeen, tick: 1, sweep: 1 }),
  watch: world({}, { ...sentAndSeen, cancel: 1, delete: 1, fault: 1, tick: 3 }),
  lockFirst: world({ slots: 1 }, { ...sentAndSeen, claim: 1, attach: 1, purge: 1 }),
  oneStatement: world({}, { ...sentAndSeen, kill: 1 }),
  claimCommits: world({}, { ...sentAndSeen, claim: 1, kill: 1 }),
}

export const withRule = (rule: RuleName): Setup => worldOf[rule]
export const withoutRule = (rule: RuleName): Setup => ({ ...worldOf[rule], rules: rulesWithout(rule) })

/** Walks end by their length, not by what they may still do. */
const unbounded: Budget = {
  ...{ sign: Infinity, put: Infinity, fault: Infinity, verify: Infinity, cancel: Infinity, claim: Infinity, build: Infinity },
  ...{ delete: Infinity, kill: Infinity, beat: Infinity, sweep: Infinity, purgeJob: Infinity, settle: Infinity, attach: Infinity },
  ...{ detach: Infinity, purge: Infinity, release: Infinity, tick: Infinity },
}

/** A world as the library has it: its own durations, a past that counts, a storage that makes sure of nothing. */
export const endless: Setup = {
  ...{ durations: realDurations, rules: rulesWithout(), lives: 2, slots: 2, hasVariant: true, remembers: true, actors: 4 },
  ...{ sends: ['a', 'b', 'x', 'w'], honours: { createOnly: false, ifMatch: false, length: false }, budget: unbounded },
}

export const walkedWorlds: readonly Setup[] = [
  endless,
  { ...endless, sends: ['a', 'b', 'x'], honours: strict },
  { ...endless, lives: 3, slots: 1, hasVariant: false, sends: ['a', 'x'], honours: heedless },
  { ...endless, lives: 1, sends: ['a', 'b'], honours: { ...strict, createOnly: false } },
]
