import type { StorageAdapter } from '../../src/core/ports/storage.ts'
import type { Query } from '../judge.ts'
import { judgeStores } from '../judge/end.ts'

export const holdAgainstRows = (
  { database, adapter }: { readonly database: { readonly query: Query }; readonly adapter: StorageAdapter },
  breach: (text: string) => void,
): Promise<void> => judgeStores({ query: database.query, stores: [adapter], breach })
