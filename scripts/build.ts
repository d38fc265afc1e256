import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'

// Compiles src/ to dist/: JavaScript and declarations, one file each, with nothing bundled.
const root = new URL('..', import.meta.url).pathname
rmSync(join(root, 'dist'), { recursive: true, force: true })
const compiler = join(root, 'node_modules/typescript/bin/tsc')
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
const bin = join(root, 'dist/doors/cli/main.js')
if (existsSync(bin)) chmodSync(bin, 0o755)
process.exitCode = status ?? 1
