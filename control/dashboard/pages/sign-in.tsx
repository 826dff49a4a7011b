import { useState } from 'preact/hooks';
import { signIn, signInProblem } from '../live/session.ts';
import { Mark } from '../parts/icon.tsx';

export function SignInPage() {
  const [token, setToken] = useState('');
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    await signIn(token.trim());
    setBusy(false);
  };
  const problem = signInProblem.value;
  return (
    <main class="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <Mark />
        <h1>Lanewise</h1>
        <label for="token">Token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          autofocus
          required
          value={token}
          aria-invalid={problem !== ''}
          aria-describedby="token-about"
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
        />
        {problem !== '' && (
          <p class="field-problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="button button-main" disabled={isBusy}>
          Sign in
        </button>
        <p id="token-about" class="quiet">
          <code>npm start</code> prints a link that signs you in. Its token is in <code>.lanewise/token</code>
          ; where tokens are configured, it is one of those. It stays in this tab and is forgotten with it.
        </p>
      </form>
    </main>
  );
}
