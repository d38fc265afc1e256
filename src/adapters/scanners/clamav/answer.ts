/** What clamd's answer to INSTREAM means for the file. */
export type Judgement =
  | { readonly is: 'clean' }
  | { readonly is: 'found'; readonly threat: string }
  /** Over a limit of its: it will never look through all of it. */
  | { readonly is: 'limit' }
  | { readonly is: 'doubt'; readonly problem: string }

export const overItsLimits =
  'it passes what it has not looked through: set AlertExceedsMax yes in clamd.conf, leave ScanArchive on and MaxRecursion at 100 or less'

/**
 * Judges by all that clamd said before it closed the connection. An answer is only believed when it came after the whole of the file, save the one
 * that the file is too large.
 */
export const judge = ({ words, isWhole }: { readonly words: string; readonly isWhole: boolean }): Judgement => {
  if (words === 'INSTREAM size limit exceeded. ERROR\0') return { is: 'limit' }
  const [, complaint] = /^([\x20-\x7e]{1,200}) ERROR\0$/.exec(words) ?? []
  if (complaint !== undefined) return { is: 'doubt', problem: `it says: ${complaint}` }
  if (words === '') return { is: 'doubt', problem: 'it closed the connection without an answer' }
  if (!isWhole) return { is: 'doubt', problem: 'it did not get the whole of the file' }
  if (words === 'stream: OK\0') return { is: 'clean' }
  const [, threat] = /^stream: ([\x21-\x7e]{1,200}) FOUND\0$/.exec(words) ?? []
  if (threat === undefined) return { is: 'doubt', problem: 'its answer is none of clamd’s' }
  return threat.startsWith('Heuristics.Limits.Exceeded') ? { is: 'limit' } : { is: 'found', threat }
}

/** A sentence's beginning from the answer to VERSION, such as `ClamAV 1.4.6, signatures 27812 of Sat Nov 21 09:26:00 2026`; null when it is none. */
export const versionIn = (words: string): string | null => {
  const [, version, signatures, made] = /^(ClamAV [\x21-\x2e\x30-\x7e]{1,60})(?:\/(\d{1,9})\/([\x20-\x7e]{1,40}))?\0$/.exec(words) ?? []
  if (version === undefined) return null
  return signatures === undefined ? `${version}, with signatures of unknown age` : `${version}, signatures ${signatures} of ${made}`
}
