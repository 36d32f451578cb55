import { Link } from '@tanstack/react-router';
import { basePath } from '../base';
import { m } from '../messages';

export function Brand() {
  return (
    <Link to="/" className="brand">
      <img src={`${basePath}favicon.svg`} alt="" />
      {m.app}
    </Link>
  );
}
