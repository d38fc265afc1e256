import { join } from 'node:path'
import { poster, video, waveform } from '../src/index.ts'
import type { Bench, BenchContext, BenchSides } from './harness.ts'
import { ffmpeg, makeFilm, openStudio, taken } from './film/studio.ts'

/** Bits per second in which cameras of phones write 1080p: of what the three runs take, decoding is a third. */
const phoneRate = '17M'

/** What anybody would write for each of the three. */
const scaled = 'scale=1280:720:flags=bicubic,setsar=1,format=yuv420p'
const transcode = [
  '-vf',
  scaled,
  '-c:v',
  'libx264',
  '-preset',
  'medium',
  '-profile:v',
  'high',
  '-crf',
  '23',
  '-maxrate',
  '2500k',
  '-bufsize',
  '5000k',
]
const withSound = [...transcode, '-c:a', 'aac', '-b:a', '128k', '-movflags', '+faststart']
const firstScene = ['-vf', "select='eq(pict_type,I)*gt(scene,0.4)'", '-frames:v', '1', '-fps_mode', 'vfr']
const firstFrame = ['-vf', "select='eq(pict_type,I)'", '-frames:v', '1', '-fps_mode', 'vfr']
const samples = ['-vn', '-ac', '1', '-ar', '8000', '-f', 'f32le']

/** A lesson of 30 s in 1080p, to what a player needs: one decode for everything, and the poster by a seek. */
export const video720: Bench = {
  name: 'video',
  means:
    '30 s of 1080p to 720p, poster and waveform, from the claim of the first job to the last row ready, in the jail, probed, stored and recorded; against the bare transcode by ffmpeg with the same settings, and against three runs of ffmpeg',
  rounds: 3,
  comparisons: [
    { metric: 'cpuMs', reference: 'bare transcode', goal: '<=1.1' },
    { metric: 'cpuMs', reference: 'three runs', goal: '<=0.85' },
  ],
  prepare,
}

async function prepare({ folder, note }: BenchContext): Promise<BenchSides> {
  const source = join(folder, 'lesson.mp4')
  await makeFilm(source, '1920x1080', phoneRate)
  const studio = await openStudio(folder, { web: video(), poster: poster(), wave: waveform() })
  note('the lesson is made')
  const bare = (): Promise<void> => ffmpeg(['-i', source, ...withSound, join(folder, 'bare.mp4')])
  const three = async (): Promise<void> => {
    await bare()
    await ffmpeg(['-i', source, ...firstScene, join(folder, 'scene.jpg')])
    await ffmpeg(['-i', source, ...firstFrame, join(folder, 'frame.jpg')])
    await ffmpeg(['-i', source, ...samples, join(folder, 'samples.raw')])
  }
  return {
    sides: {
      ours: async () => {
        const { gate, poster: first, rest } = await studio.build(source)
        return { cpuMs: first.cpuMs + rest.cpuMs, ms: first.ms + rest.ms, gateCpuMs: gate.cpuMs, posterMs: first.ms }
      },
      'bare transcode': () => taken(bare),
      'three runs': () => taken(three),
    },
    close: studio.close,
  }
}
