import { useRef } from 'react'
import type { AssetAnswer } from 'rindle/http'
import type { Member } from './api.ts'
import { DropZone } from './drop-zone.tsx'
import { Portrait } from './portrait.tsx'
import { Step } from './step.tsx'
import { useAvatar, type Stage } from './use-avatar.ts'

const accepted = 'image/jpeg,image/png,image/webp,image/avif,image/gif,image/heic,.heic'

interface AvatarCardProps {
  readonly member: Member
  readonly partsFromBytes: number | null
  readonly onChange: () => Promise<void>
}

export function AvatarCard({ member, partsFromBytes, onChange }: AvatarCardProps) {
  const { stage, send, remove, cancel } = useAvatar(member.id, partsFromBytes, onChange)
  const input = useRef<HTMLInputElement>(null)
  const busy = stage.is === 'sending' || stage.is === 'checking' || stage.is === 'making'

  return (
    <section className="card" aria-labelledby="card-title">
      <h2 id="card-title">Your picture</h2>
      <DropZone onFile={(file) => void send(file)}>
        <div className={busy ? 'stage busy' : 'stage'}>
          <Portrait member={member} size="large" />
        </div>
        <p className="hint">
          <strong>Drop a photo here</strong>
          <span>JPEG, PNG, WebP, AVIF, GIF or HEIC, up to 25 MB</span>
        </p>
        <div className="actions">
          <label className="button">
            <input
              ref={input}
              id="avatar-file"
              type="file"
              accept={accepted}
              onChange={(event) => {
                const file = event.target.files?.[0]
                if (file) void send(file)
                event.target.value = ''
              }}
            />
            {member.portrait ? 'Replace' : 'Choose a photo'}
          </label>
          {stage.is === 'sending' ? (
            <button type="button" className="quiet" onClick={cancel}>
              Cancel
            </button>
          ) : (
            member.portrait && (
              <button type="button" className="quiet" id="avatar-remove" onClick={() => void remove()}>
                Remove
              </button>
            )
          )}
        </div>
      </DropZone>
      <StageView stage={stage} />
      <p className="unseen" role="status" aria-live="polite">
        {spoken(stage)}
      </p>
    </section>
  )
}

function StageView({ stage }: { stage: Stage }) {
  if (stage.is === 'idle') return null
  if (stage.is === 'refused') {
    return (
      <div className="outcome refused" role="alert" data-stage="refused">
        <p>{stage.words}</p>
      </div>
    )
  }
  const sent = stage.is === 'sending' ? Math.round(stage.share * 100) : 100
  return (
    <div className="outcome" data-stage={stage.is}>
      <Step label={stage.is === 'sending' ? `Sending ${stage.name}` : 'Sent'} percent={sent} done={stage.is !== 'sending'} />
      {stage.is !== 'sending' && (
        <Step
          label={stage.is === 'checking' ? 'Checking the file' : 'Checked'}
          percent={stage.is === 'checking' ? null : 100}
          done={stage.is !== 'checking'}
        />
      )}
      {(stage.is === 'making' || stage.is === 'done') && <Sizes asset={stage.asset} done={stage.is === 'done'} />}
    </div>
  )
}

function Sizes({ asset, done }: { asset: AssetAnswer; done: boolean }) {
  return (
    <div className={done ? 'step done' : 'step'}>
      <p>
        <span>{done ? 'Every size is ready' : 'Making the sizes'}</span>
        <span aria-hidden="true">{done ? '✓' : ''}</span>
      </p>
      <ul className="sizes">
        {Object.entries(asset.variants).map(([name, variant]) => (
          <li key={name} data-variant={name} data-state={variant.state}>
            {variant.url ? (
              <img src={variant.url} alt="" width={variant.width ?? 48} height={variant.height ?? 48} />
            ) : (
              <span className="blank" style={{ blockSize: `${Math.max(8, variant.progress)}%` }} />
            )}
            <span>{name}</span>
            <span className="measure">{variant.width && variant.height ? `${variant.width}×${variant.height}` : variant.state}</span>
          </li>
        ))}
      </ul>
    </div>
  )
}

const spoken = (stage: Stage): string => {
  switch (stage.is) {
    case 'idle':
      return ''
    case 'sending':
      return stage.share === 0 ? `Sending ${stage.name}` : ''
    case 'checking':
      return 'Sent. The file is being checked.'
    case 'making':
      return 'Checked. The sizes are being made.'
    case 'done':
      return 'Your new picture is ready.'
    case 'refused':
      return ''
  }
}
