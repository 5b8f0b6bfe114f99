package com.mirth.connect.server.userutil;

import java.text.ParseException;
import java.text.SimpleDateFormat;
import java.util.Date;

public class DateUtil {
    private DateUtil() {
    }

    public static Date getDate(String pattern, String date) throws ParseException {
        return new SimpleDateFormat(pattern).parse(date);
    }

    public static String formatDate(String pattern, Date date) {
        return new SimpleDateFormat(pattern).format(date);
    }

    public static String getCurrentDate(String pattern) {
        return formatDate(pattern, new Date());
    }

    public static String convertDate(String inPattern, String outPattern, String date) throws ParseException {
        return formatDate(outPattern, getDate(inPattern, date));
    }
}
