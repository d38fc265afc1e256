import type { Command } from '../command.ts'
import { migrate } from './migrate.ts'
import { work } from './work.ts'

/** Every command; `rindle --help` lists them in this order. */
export const commands: readonly Command[] = [migrate, work]
