import { render } from 'preact';
import { App } from './app.tsx';
import { resumeSession } from './live/session.ts';

render(<App />, document.getElementById('app')!);
void resumeSession();
