/** One token that may hold a semicolon which ends nothing, or the semicolon that does. */
const token = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|;/g

/** The statements of a script, for carriers that take one at a time. Knows strings, quoted names, comments and dollar quotes. */
export const splitStatements = (script: string): string[] => {
  const statements: string[] = []
  let start = 0
  for (const { 0: found, index } of script.matchAll(token)) {
    if (found !== ';') continue
    statements.push(script.slice(start, index))
    start = index + 1
  }
  return [...statements, script.slice(start)]
    .map((statement) => statement.trim())
    .filter((statement) => statement.replace(token, '').trim() !== '')
}
