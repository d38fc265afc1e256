/**
 * What goes wrong with one call:
 * - `fail_before`: the connection is lost, and nothing has happened.
 * - `fail_after`: it takes effect, and the connection is lost before the answer. A list breaks off before its last entry.
 * - `hang`: nothing happens, and there is no answer until the signal aborts.
 * - `slow`: it begins later, and then goes well.
 * - `http_5xx`: the storage says that it is not there for anybody. Nothing has happened.
 * - `ok_with_error`: the storage begins with 200 and ends with an error. Nothing has happened.
 * - `cut_body`: the bytes end early, as if that were all.
 */
export type StorageFaultKind = 'fail_before' | 'fail_after' | 'hang' | 'slow' | 'http_5xx' | 'ok_with_error' | 'cut_body'

export type StorageOperation =
  | 'put'
  | 'head'
  | 'read'
  | 'copy'
  | 'delete'
  | 'list'
  | 'signPut'
  | 'signGet'
  | 'create'
  | 'signPart'
  | 'listParts'
  | 'complete'
  | 'abort'
  | 'listUploads'

const remote = ['fail_before', 'fail_after', 'hang', 'slow', 'http_5xx'] as const
/** Nothing is sent to sign, and nobody can call it off. */
const local = ['fail_before', 'slow'] as const

/** What can go wrong with which call. */
export const storageFaultsOf: Readonly<Record<StorageOperation, readonly StorageFaultKind[]>> = {
  put: remote,
  head: remote,
  read: [...remote, 'cut_body'],
  copy: [...remote, 'ok_with_error'],
  delete: remote,
  list: remote,
  signPut: local,
  signGet: local,
  create: remote,
  signPart: local,
  listParts: remote,
  complete: [...remote, 'ok_with_error'],
  abort: remote,
  listUploads: remote,
}
