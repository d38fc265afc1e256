import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import './style.css'
import './lessons.css'

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App path={location.pathname} />
  </StrictMode>,
)
