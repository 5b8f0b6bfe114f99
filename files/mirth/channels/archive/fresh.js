// What an operator sends again brings back no old name and no number that was merged away: the guard has looked up the patient.
if (sourceMap.get('reprocessed') !== null) msg = withPatient(String(msg), String($('patient') || ''));
