// The archive says that something arrived for a study (procedure status update). That is a hint: it comes for reports as well, and says
// nothing of what was stored. The facts are asked for by DICOMweb.

// The study that the update names, '' for none.
function studyOf(m) {
    var uid = '';
    m.segs.forEach(function (seg) { if (seg[0] === 'OBX' && hl7Text(m, seg, 3, 1) === '113014') uid = hl7Text(m, seg, 5, 1); });
    return /^[0-9.]{1,64}$/.test(uid) ? uid : '';
}

function imagesArrived(raw) {
    var uid = studyOf(hl7Parse(raw)), study, images;
    if (uid === '') return 'no study is named';
    study = archiveGet('/aets/' + $cfg('arc_aet') + '/rs/studies?includefield=all&StudyInstanceUID=' + uid)[0];
    images = dcmValues(study, '00080061').filter(function (modality) { return !/^(SR|DOC|PR|KO)$/.test(modality); });
    return dbTx('filler', function (c) {
        if (images.length) return noteImages(c, uid, images, String(dcmValue(study, '00100020')), String(dcmValue(study, '00080050')));
        noticeOver(c, 'not as ordered', uid);
        return study ? 'no images yet' : 'the study is gone';
    });
}

function noteImages(c, uid, images, pid, accession) {
    var st = dbQuery(c, 'SELECT * FROM order_state WHERE study_uid = ? FOR UPDATE', [uid])[0];
    if (!st && pid === String($cfg('verify_patient'))) return "the lab's own proof";
    if (!st || st.pid !== pid || st.accession !== accession) {
        notice(c, 'not as ordered', uid, (st ? 'study ' + uid + ' was ordered for patient ' + st.pid + ' as ' + st.accession + ' (order ' + st.placer + ')' : 'no order has the study UID ' + uid) +
            '; its images say patient "' + pid + '", accession "' + accession + '"' + (st ? '' : orderedAs(c, accession)));
        return 'not as ordered';
    }
    noticeOver(c, 'not as ordered', uid);
    if (st.images_at !== null) return 'known';
    writeFile(String($cfg('dir_status')), st.placer + '-' + st.accession + '.json',
        utf8(JSON.stringify({ order: st.placer, procedure: st.code, accession: st.accession, study: uid, images: images })));
    dbExec(c, 'UPDATE order_state SET images_at = now() WHERE accession = ?', [st.accession]);
    return 'images available';
}

// The modality made a study UID of its own (F-DCM-3): both are named, so that a person can put it right.
function orderedAs(c, accession) {
    var st = accession === '' ? null : dbQuery(c, 'SELECT placer, study_uid FROM order_state WHERE accession = ?', [accession])[0];
    return st ? ', which is order ' + st.placer + ' and was ordered with study UID ' + st.study_uid : '';
}
