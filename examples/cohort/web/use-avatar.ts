import { useCallback, useEffect, useRef, useState } from 'react'
import type { AssetAnswer } from 'rindle/http'
import { attachAvatar, fetchAsset, removeAvatar } from './api.ts'
import { upload } from './upload.ts'

export type Stage =
  | { readonly is: 'idle' }
  | { readonly is: 'sending'; readonly name: string; readonly share: number }
  | { readonly is: 'checking'; readonly name: string }
  | { readonly is: 'making'; readonly name: string; readonly asset: AssetAnswer }
  | { readonly is: 'done'; readonly asset: AssetAnswer }
  | { readonly is: 'refused'; readonly words: string }

const inGate = new Set(['validating', 'analyzing', 'promoting'])
const inWork = new Set(['processing', 'transcoding'])

/** One avatar's way from a file in the hand to variants on the page. `onChange` is told whenever the roster may look different. */
export function useAvatar(memberId: string, partsFromBytes: number | null, onChange: () => Promise<void>) {
  const [stage, setStage] = useState<Stage>({ is: 'idle' })
  const running = useRef<AbortController | null>(null)

  useEffect(() => () => running.current?.abort(), [])

  const begin = () => {
    running.current?.abort()
    running.current = new AbortController()
    return running.current.signal
  }

  const send = useCallback(
    async (file: File) => {
      const signal = begin()
      setStage({ is: 'sending', name: file.name, share: 0 })
      try {
        const onSent = (share: number) => setStage({ is: 'sending', name: file.name, share })
        const assetId = await upload('avatar', file, { partsFromBytes, onSent, signal })
        const refused = await attachAvatar(memberId, assetId).then(
          () => null,
          (err: Error) => err,
        )
        // A small file may have been looked at by now, and its own reason says more than that it cannot be attached.
        if (refused && (await fetchAsset(assetId)).state !== 'quarantined') throw refused
        setStage({ is: 'checking', name: file.name })
        await onChange()
        await follow(assetId, file.name, signal, setStage, onChange)
      } catch (err) {
        if (!signal.aborted) setStage({ is: 'refused', words: err instanceof Error ? err.message : 'Something failed. Try again.' })
        await onChange()
      }
    },
    [memberId, partsFromBytes, onChange],
  )

  const remove = useCallback(async () => {
    begin()
    try {
      await removeAvatar(memberId)
      setStage({ is: 'idle' })
    } catch (err) {
      setStage({ is: 'refused', words: err instanceof Error ? err.message : 'Something failed. Try again.' })
    }
    await onChange()
  }, [memberId, onChange])

  const cancel = useCallback(() => {
    begin()
    setStage({ is: 'idle' })
  }, [])

  return { stage, send, remove, cancel }
}

async function follow(
  assetId: string,
  name: string,
  signal: AbortSignal,
  setStage: (stage: Stage) => void,
  onChange: () => Promise<void>,
): Promise<void> {
  for (let shown = ''; !signal.aborted;) {
    const asset = await fetchAsset(assetId)
    if (signal.aborted) return
    if (asset.state === 'quarantined') {
      setStage({ is: 'refused', words: asset.error?.message ?? 'This file was refused.' })
      return onChange()
    }
    const finished = !inGate.has(asset.state) && !inWork.has(asset.state)
    setStage(finished ? { is: 'done', asset } : inGate.has(asset.state) ? { is: 'checking', name } : { is: 'making', name, asset })
    const look = `${asset.state} ${Object.values(asset.variants).filter((variant) => variant.url).length}`
    if (look !== shown) await onChange()
    if (finished) return settleDown(signal, onChange)
    shown = look
    await pause(200)
  }
}

/** The slot lets the new picture in a moment after the gate has spoken; look until it has. */
async function settleDown(signal: AbortSignal, onChange: () => Promise<void>): Promise<void> {
  for (const wait of [150, 400, 1000, 2500]) {
    await pause(wait)
    if (signal.aborted) return
    await onChange()
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
