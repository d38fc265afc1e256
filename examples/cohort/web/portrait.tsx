import type { Member } from './api.ts'

/** A member's picture, or initials on a colour of their own. The HTML is the server's, escaped there. */
export function Portrait({ member, size }: { member: Member; size: 'tiny' | 'row' | 'large' }) {
  const html = size === 'large' ? member.portrait : member.picture
  if (html) return <span className={`portrait ${size}`} dangerouslySetInnerHTML={{ __html: html }} />
  const initials = member.name
    .split(' ')
    .map((word) => word[0])
    .filter((_, i, all) => i === 0 || i === all.length - 1)
    .join('')
  return (
    <span
      className={`portrait ${size} initials`}
      data-tone={member.name.length % 5}
      role="img"
      aria-label={`${member.name}, no picture yet`}
    >
      <span aria-hidden="true">{initials}</span>
    </span>
  )
}
