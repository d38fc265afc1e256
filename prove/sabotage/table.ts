import { databaseSabotages } from './database.ts'
import type { Sabotage } from './sabotage.ts'

/** Every sabotage, by the floor that it is done on. */
export const sabotages: readonly Sabotage[] = [...databaseSabotages]
