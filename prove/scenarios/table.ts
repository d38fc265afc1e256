import { delivery } from './delivery.ts'
import { films } from './films.ts'
import { gate } from './gate.ts'
import { operations } from './operations.ts'
import { parts } from './parts.ts'
import type { Scenario } from './scenario.ts'
import { slots } from './slots.ts'
import { time } from './time.ts'
import { unmanaged } from './unmanaged.ts'
import { uploads } from './uploads.ts'
import { variants } from './variants.ts'

/** Everything that people do with the library. What is new in it is a new row here, and `nth`, `storm`, `secrets` and `crash` play it. */
export const scenarios: readonly Scenario[] = [
  ...[...uploads, ...parts, ...slots, ...gate, ...variants, ...films],
  ...[...delivery, ...unmanaged, ...time, ...operations],
]
