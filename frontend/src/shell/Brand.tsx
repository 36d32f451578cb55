import { Link } from '@tanstack/react-router';
import { m } from '../messages';

export function Brand() {
  return (
    <Link to="/" className="brand">
      <img src="/favicon.svg" alt="" />
      {m.app}
    </Link>
  );
}
