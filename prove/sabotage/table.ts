import { adaptersSabotages } from './adapters.ts'
import { coreSabotages } from './core.ts'
import { databaseSabotages } from './database.ts'
import { doorsSabotages } from './doors.ts'
import { filmsSabotages } from './films.ts'
import { flowsSabotages } from './flows.ts'
import { processingSabotages } from './processing.ts'
import type { Sabotage } from './sabotage.ts'

/** Every sabotage, by the floor that it is done on. */
export const sabotages: readonly Sabotage[] = [
  ...coreSabotages,
  ...databaseSabotages,
  ...adaptersSabotages,
  ...processingSabotages,
  ...filmsSabotages,
  ...flowsSabotages,
  ...doorsSabotages,
]
