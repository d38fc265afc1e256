import { openScene, workIn } from './scene.ts'

/** A worker of its own on a PostgreSQL server, as `rindle work` is one. It ends with the process that started it. */
const { url, ...scene } = JSON.parse(process.argv[2] ?? '{}')
const rindle = openScene(url, scene)
process.on('disconnect', () => process.exit(0))
await rindle.ready()
const worker = workIn(rindle, scene)
worker.failed.catch((err: unknown) => {
  console.error(err)
  process.exit(1)
})
process.send?.('working')
