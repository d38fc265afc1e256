import type { Command } from '../command.ts'
import { cancel } from './cancel.ts'
import { doctor } from './doctor.ts'
import { migrate } from './migrate.ts'
import { quarantine } from './quarantine.ts'
import { release } from './release.ts'
import { requeue } from './requeue.ts'
import { work } from './work.ts'

/** Every command; `rindle --help` lists them in this order. */
export const commands: readonly Command[] = [migrate, work, doctor, quarantine, release, cancel, requeue]
