import type { Project } from '@nimbus-analytics/sdk';
import { IconAlertTriangle } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { Fragment } from 'react';
import { CopyButton, Notice } from '../../ui';
import { w } from './messages';
import type { Keys } from './snippets';
import { moving, type Vendor } from './vendors';

/** What to put into the settings of another vendor's SDK. */
export function VendorFields({ vendor, keys, project }: { vendor: Vendor; keys: Keys; project: Project }) {
  return (
    <>
      {!project.dialects.includes(vendor.dialect) && (
        <Notice kind="warn" icon={IconAlertTriangle}>
          {project.dialects_off.includes(vendor.dialect) ? (
            <p>{w.switchedOff(vendor.label)} <Link to="/projects/$projectId/settings" params={{ projectId: project.id }} style={{ textDecoration: 'underline' }}>{w.openSettings}</Link></p>
          ) : (
            <p>{w.notSpoken(vendor.label)}</p>
          )}
        </Notice>
      )}
      <p className="muted">{w.vendorText(vendor.label)}</p>
      <dl className="vendor-fields">
        {vendor.fields(keys).map(({ label, value }) => (
          <Fragment key={label}>
            <dt>{label}</dt>
            <dd>
              {value === undefined ? <Link to="/projects/$projectId/keys" params={{ projectId: project.id }} style={{ textDecoration: 'underline' }}>{w.anySecret}</Link> : (
                <>
                  <code className="wrap-any">{value}</code>
                  <CopyButton text={value} />
                </>
              )}
            </dd>
          </Fragment>
        ))}
      </dl>
    </>
  );
}

export function Moving({ vendor }: { vendor: Vendor }) {
  return (
    <p><a href={moving(vendor.label)} target="_blank" rel="noreferrer" style={{ textDecoration: 'underline' }}>{w.moving(vendor.label)}</a></p>
  );
}
