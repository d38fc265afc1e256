import { useEffect, useRef, useState } from 'react'
import { addLesson } from './api.ts'
import { DropZone } from './drop-zone.tsx'
import { Step } from './step.tsx'
import { upload } from './upload.ts'

const accepted = 'video/mp4,video/quicktime,video/webm,audio/mpeg,audio/mp4,audio/wav,audio/flac,.mov,.m4a'

type Stage =
  | { readonly is: 'idle'; readonly words: string }
  | { readonly is: 'sending'; readonly name: string; readonly share: number }
  | { readonly is: 'refused'; readonly words: string }

export function AddLesson({ partsFromBytes, onAdded }: { partsFromBytes: number | null; onAdded: () => Promise<void> }) {
  const [stage, setStage] = useState<Stage>({ is: 'idle', words: '' })
  const [title, setTitle] = useState('')
  const running = useRef<AbortController | null>(null)
  const isSending = stage.is === 'sending'

  useEffect(() => () => running.current?.abort(), [])

  const send = async (file: File) => {
    const { signal } = (running.current = new AbortController())
    const onSent = (share: number) => setStage({ is: 'sending', name: file.name, share })
    onSent(0)
    try {
      const assetId = await upload('lesson', file, { partsFromBytes, onSent, signal })
      await addLesson(title.trim() || nameOf(file), assetId)
      setTitle('')
      setStage({ is: 'idle', words: 'Sent. The list shows how far it is.' })
      await onAdded()
    } catch (err) {
      if (signal.aborted) setStage({ is: 'idle', words: 'Nothing was sent.' })
      else setStage({ is: 'refused', words: err instanceof Error ? err.message : 'Something failed. Try again.' })
    }
  }

  return (
    <section className="card" aria-labelledby="add-title">
      <h2 id="add-title">Add a lesson</h2>
      <label className="field">
        <span>Title</span>
        <input
          id="lesson-title"
          value={title}
          maxLength={120}
          autoComplete="off"
          placeholder="The file’s name, if left empty"
          onChange={(event) => setTitle(event.target.value)}
        />
      </label>
      <DropZone onFile={(file) => void (isSending || send(file))}>
        <Reel />
        <p className="hint">
          <strong>Drop a film or a recording here</strong>
          <span>MP4, MOV, WebM, MP3, M4A, WAV or FLAC, up to an hour and 500 MB</span>
        </p>
        <Choice isSending={isSending} onFile={(file) => void send(file)} onCancel={() => running.current?.abort()} />
      </DropZone>
      <Outcome stage={stage} />
      <p className="unseen" role="status" aria-live="polite">
        {stage.is === 'idle' ? stage.words : stage.is === 'sending' && stage.share === 0 ? `Sending ${stage.name}` : ''}
      </p>
    </section>
  )
}

interface ChoiceProps {
  readonly isSending: boolean
  readonly onFile: (file: File) => void
  readonly onCancel: () => void
}

/** One at a time. Whoever works by keyboard finds the focus on what can be done next. */
function Choice({ isSending, onFile, onCancel }: ChoiceProps) {
  const input = useRef<HTMLInputElement>(null)
  const cancel = useRef<HTMLButtonElement>(null)
  const was = useRef(false)

  useEffect(() => {
    if (isSending === was.current) return
    was.current = isSending
    if (document.activeElement === document.body || document.activeElement === input.current) (isSending ? cancel : input).current?.focus()
  }, [isSending])

  if (isSending) {
    return (
      <button ref={cancel} type="button" className="quiet" onClick={onCancel}>
        Cancel
      </button>
    )
  }
  return (
    <label className="button">
      <input
        ref={input}
        id="lesson-file"
        type="file"
        accept={accepted}
        onChange={(event) => {
          const file = event.target.files?.[0]
          if (file) onFile(file)
          event.target.value = ''
        }}
      />
      Choose a file
    </label>
  )
}

function Outcome({ stage }: { stage: Stage }) {
  if (stage.is === 'refused') {
    return (
      <div className="outcome refused" role="alert">
        <p>{stage.words}</p>
      </div>
    )
  }
  if (stage.is === 'sending') {
    return (
      <div className="outcome">
        <Step label={`Sending ${stage.name}`} percent={Math.round(stage.share * 100)} done={false} />
      </div>
    )
  }
  return stage.words ? <p className="said">{stage.words}</p> : null
}

const Reel = () => (
  <svg className="reel" viewBox="0 0 64 64" aria-hidden="true">
    <rect x="6" y="14" width="52" height="36" rx="9" />
    <path d="M27 24.5v15l13-7.5z" />
  </svg>
)

const nameOf = (file: File): string =>
  file.name
    .replace(/\.[^.]*$/, '')
    .replaceAll(/[-_]+/g, ' ')
    .trim() || 'A lesson'
