import { type RefObject, useEffect, useRef, useState } from 'react'
import type { Lesson } from './api.ts'

/** The HTML is the server's, escaped there: a film with its poster, or a sound. Until there is either, the place where it will be. */
export function Player({ lesson }: { lesson: Lesson }) {
  const place = useRef<HTMLDivElement>(null)
  const { film, sound } = usePinned(lesson, place)
  if (film) {
    return (
      <>
        <div ref={place} className="screen" dangerouslySetInnerHTML={{ __html: film }} />
        <Thumbnails place={place} of={film} />
        {sound && lesson.ready.includes('web_720p') && (
          <details className="alone">
            <summary>The sound alone</summary>
            <div dangerouslySetInnerHTML={{ __html: sound }} />
          </details>
        )}
      </>
    )
  }
  if (sound) return <div ref={place} className="sounding" dangerouslySetInnerHTML={{ __html: sound }} />
  const isOnItsWay = lesson.standing !== 'refused' && lesson.standing !== 'gone'
  return isOnItsWay && lesson.kind !== 'audio' ? <div className="screen blank" /> : null
}

/** The addresses in the HTML live for four hours; these are changed for fresh ones after one, and at once when there is more to play. */
const pinnedForMs = 3_600_000

/** The HTML is another every time, since its addresses are: a page that took each would begin the film anew. Never while somebody plays. */
function usePinned({ film, sound, ready }: Lesson, place: RefObject<HTMLElement | null>) {
  const [pinned, setPinned] = useState({ film, sound, ready, at: Date.now() })
  useEffect(() => {
    const player = place.current?.querySelector<HTMLMediaElement>('video, audio') ?? null
    const hasBegun = player !== null && player.currentTime > 0
    const isOld = Date.now() - pinned.at > pinnedForMs && !hasBegun
    if (pinned.ready !== ready || isOld) setPinned({ film, sound, ready, at: Date.now() })
  }, [film, sound, ready, pinned, place])
  return pinned
}

interface Thumbnail {
  readonly seconds: number
  readonly strip: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const mostThumbnails = 5
/** In pixels of the page. */
const largest = { width: 100, height: 72 }

/** Moments of the film to go to, out of the track of thumbnails in its tag. */
function Thumbnails({ place, of }: { place: RefObject<HTMLElement | null>; of: string }) {
  const [all, setAll] = useState<readonly Thumbnail[]>([])
  const [seconds, setSeconds] = useState(0)

  useEffect(() => {
    setAll([])
    const video = place.current?.querySelector('video')
    const element = video?.querySelector<HTMLTrackElement>('track[label=thumbnails]')
    if (!video || !element) return
    const gone = new AbortController()
    const { signal } = gone
    const read = () => setAll([...(element.track.cues ?? [])].map(thumbnailOf).filter((one) => one !== null))
    if (element.readyState === HTMLTrackElement.LOADED) read()
    element.addEventListener('load', read, { signal })
    video.addEventListener('timeupdate', () => setSeconds(video.currentTime), { signal })
    return () => gone.abort()
  }, [of, place])

  const shown = all.filter(
    (_, i) => i === 0 || Math.floor((i * mostThumbnails) / all.length) > Math.floor(((i - 1) * mostThumbnails) / all.length),
  )
  if (shown.length < 2) return null
  const stripWidth = Math.max(...all.map(({ x, width }) => x + width))
  const now = shown.findLast((one) => one.seconds <= seconds)
  const go = (to: number) => {
    const video = place.current?.querySelector('video')
    if (!video) return
    video.currentTime = to
    void video.play().catch(() => undefined)
  }
  return (
    <ul className="moments" aria-label="Moments of the film">
      {shown.map((one) => (
        <li key={one.seconds}>
          <button
            type="button"
            aria-label={`Play from ${clockOf(one.seconds)}`}
            {...(one === now ? { 'aria-current': true } : {})}
            onClick={() => go(one.seconds)}
          >
            <span style={frameOf(one, stripWidth)} />
            {clockOf(one.seconds)}
          </button>
        </li>
      ))}
    </ul>
  )
}

/** A cue is the address of the strip with the frame's place in it: `#xywh=160,0,160,90`. */
const thumbnailOf = (cue: TextTrackCue): Thumbnail | null => {
  const found = cue instanceof VTTCue ? /^(.+)#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(cue.text) : null
  if (!found?.[1]) return null
  const [x = 0, y = 0, width = 0, height = 0] = found.slice(2).map(Number)
  return { seconds: cue.startTime, strip: found[1], x, y, width, height }
}

const frameOf = ({ strip, x, y, width, height }: Thumbnail, stripWidth: number) => {
  const scale = Math.min(largest.width / width, largest.height / height)
  return {
    inlineSize: width * scale,
    blockSize: height * scale,
    backgroundImage: `url(${JSON.stringify(strip)})`,
    backgroundSize: `${stripWidth * scale}px auto`,
    backgroundPosition: `${-x * scale}px ${-y * scale}px`,
  }
}

/** `2:05` */
export const clockOf = (seconds: number): string => {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
