import './style/base.css'
import './style/layout.css'
import './style/parts.css'
import './style/pages.css'
import './style/forms.css'
import './style/looks.css'
import 'uplot/dist/uPlot.min.css'
import { render } from 'preact'
import { App } from './app.tsx'

render(<App />, document.querySelector('#app')!)
