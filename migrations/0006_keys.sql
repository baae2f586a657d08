-- A key for browsers, that may ask OpenFeature's questions alone.
alter table api_keys drop constraint api_keys_scope_check;
alter table api_keys add constraint api_keys_scope_check check (scope in ('evaluate', 'read', 'write', 'admin'));
