import { analysisLimitBytes, type AskAppCode } from '../../core/app-code.ts'
import { RindleError } from '../../core/errors.ts'
import type { Analyzer } from '../../core/ports/analyzer.ts'
import { type Json, storableJson } from '../../core/storable.ts'

const deepest = 32

/**
 * Has the app's analyzer find out what it can about a file.
 *
 * @returns what is to be kept of it: plain, cleaned and bounded.
 * @throws RindleError `app_code_failed` when it does not answer, or not with an object that can be kept.
 */
export async function analyzeFile(analyzer: Analyzer, ask: AskAppCode): Promise<Readonly<Record<string, Json>>> {
  const failed = (problem: string, cause?: unknown): RindleError =>
    new RindleError('app_code_failed', { part: 'analyzer', name: analyzer.name, problem }, { cause })
  const answer = await ask(analyzer.timeoutSeconds, (file) => analyzer.analyze(file))
  if (!answer.ok) throw failed(answer.problem, answer.cause)
  const kept = storableJson(answer.value, { maxBytes: analysisLimitBytes, maxDepth: deepest })
  if (!kept.storable) throw failed(`what it returned ${kept.problem}`)
  if (!isObject(kept.value)) throw failed('what it returned is no object')
  return kept.value
}

const isObject = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
