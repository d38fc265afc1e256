// A reporter of node:test that writes one JSON line per finished test case, for scripts/test-files.ts to count.
export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const error = data.details?.error
    const skipped = data.skip !== undefined && data.skip !== false
    // A suite is not a case, but the cases of one that is skipped are never heard of. A failed one is told only when something other than
    // its cases failed, a hook for instance.
    if (data.details?.type === 'suite' && type === 'test:pass' && !skipped) continue
    if (error?.failureType === 'subtestsFailed') continue
    yield `${JSON.stringify({
      name: data.name,
      passed: type === 'test:pass',
      skipped,
      todo: data.todo !== undefined && data.todo !== false,
      ms: Math.round(data.details?.duration_ms ?? 0),
      error: error ? explain(error) : undefined,
    })}\n`
  }
}

function explain(error) {
  const cause = error.cause ?? error
  if (typeof cause !== 'object' || cause === null) return String(cause)
  const details = cause.details === undefined ? '' : `\n${JSON.stringify(cause.details)}`
  const inner = cause.cause === undefined ? '' : `\nbecause of ${cause.cause?.stack ?? cause.cause}`
  return `${cause.stack ?? cause.message}${details}${inner}`
}
