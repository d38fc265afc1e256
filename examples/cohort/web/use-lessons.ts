import { useCallback, useEffect, useState } from 'react'
import type { AssetAnswer } from 'rindle/http'
import { fetchAsset, fetchLessons, type Lesson } from './api.ts'

/** How far the recording of a lesson is, in percent, with its parts. */
export interface Progress {
  readonly percent: number
  readonly parts: readonly { readonly name: string; readonly state: string; readonly percent: number }[]
}

const followEveryMs = 500
/** Somebody else may have added one; and signed addresses grow old. */
const refreshEveryMs = 60_000

/** The lessons, and of those that are not there yet how far they are: asked of the http door until they rest. */
export function useLessons() {
  const [lessons, setLessons] = useState<readonly Lesson[] | null>(null)
  const [progress, setProgress] = useState<Readonly<Record<string, Progress>>>({})
  const [problem, setProblem] = useState<string | null>(null)

  const refresh = useCallback(async () => {
    try {
      setLessons(await fetchLessons())
      setProblem(null)
    } catch (err) {
      setProblem(err instanceof Error ? err.message : 'The lessons could not be loaded.')
    }
  }, [])

  useEffect(() => {
    void refresh()
    const timer = setInterval(() => void refresh(), refreshEveryMs)
    return () => clearInterval(timer)
  }, [refresh])

  const owed = (lessons ?? []).filter(({ standing }) => standing === 'checking' || standing === 'making').map(({ assetId }) => assetId)
  const following = owed.join(' ')
  useEffect(() => {
    if (following === '') return
    const gone = new AbortController()
    const tell = (id: string, found: Progress) => setProgress((all) => ({ ...all, [id]: found }))
    for (const id of following.split(' ')) void follow(id, gone.signal, tell, refresh)
    return () => gone.abort()
  }, [following, refresh])

  return { lessons, progress, problem, refresh }
}

/** Until it rests, or nobody follows any more. What has become of it is then in the list, which is asked for anew whenever it looks different. */
async function follow(
  assetId: string,
  gone: AbortSignal,
  tell: (assetId: string, progress: Progress) => void,
  refresh: () => Promise<void>,
): Promise<void> {
  for (let shown = ''; !gone.aborted; await pause(followEveryMs)) {
    const asset = await fetchAsset(assetId).catch(() => null)
    if (gone.aborted) return
    if (asset) tell(assetId, progressOf(asset))
    const look = asset && `${asset.state} ${Object.values(asset.variants).filter(({ url }) => url).length}`
    if (look === shown && look !== null) continue
    shown = look ?? ''
    await refresh()
  }
}

/** The poster comes first and by itself; everything else comes out of one run, which is as far as the last of it. */
const progressOf = ({ variants }: AssetAnswer): Progress => {
  const parts = Object.entries(variants).map(([name, { state, progress }]) => ({
    name,
    state,
    percent: state === 'ready' ? 100 : progress,
  }))
  const run = parts.filter(({ name }) => name !== 'poster')
  return { percent: run.length > 0 ? Math.min(...run.map(({ percent }) => percent)) : 0, parts }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
