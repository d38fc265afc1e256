import type { ProofContext } from '../harness.ts'
import { type Peer, startPeer } from '../memory/peer.ts'
import type { HostCommands } from './host.ts'

export type JailHost = Peer<HostCommands>

/** Has another process hold the jail as long as `run` takes. */
export const withJailHost = async <T>(
  { folder, signal }: Pick<ProofContext, 'folder' | 'signal'>,
  options: { readonly concurrency: number },
  run: (host: JailHost) => Promise<T>,
): Promise<T> => {
  const host = startPeer<HostCommands>('../files/host.ts', { folder: `${folder}/host`, ...options }, signal)
  try {
    await host.ask('warm', null)
    return await run(host)
  } finally {
    await host.ask('close', null).catch(() => undefined)
    await host.stop()
  }
}
